import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { CHAINS, WatchTable } from '../../../lib/live/watch-table.js';

interface Item {
  row: number;
  readonly session: number | undefined;
  readonly subject: number;
  readonly expiry: number;
}

const word = fc.integer({ min: 0, max: 9 }).map((digit) => (digit * 429_496_729) >>> 0);
const act = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      session: fc.option(word, { nil: undefined }),
      subject: word,
      expiry: fc.integer({ min: 1, max: 500 }),
    }),
  },
  { weight: 2, arbitrary: fc.nat() },
);

function add(table: WatchTable<Item>, given: Omit<Item, 'row'>): Item {
  const item = { row: 0, ...given };
  table.add(item);
  if (item.session !== undefined) table.link(item, CHAINS.session, item.session);
  table.link(item, CHAINS.subject, item.subject);
  table.link(item, CHAINS.expiry, item.expiry);
  return item;
}

describe('WatchTable', () => {
  it('WatchTable finds by each key exactly its entries, whatever was added and removed before', () => {
    const check = fc.property(fc.array(act, { maxLength: 400, size: 'max' }), word, (acts, key) => {
      const table = new WatchTable<Item>();
      const known: Item[] = [];
      for (const each of acts) {
        if (typeof each === 'object') known.push(add(table, each));
        else if (known.length > 0) table.remove(known.splice(each % known.length, 1)[0] as Item);
      }
      const found = (visitAll: (visit: (item: Item) => void) => void): Set<Item> => {
        const items: Item[] = [];
        visitAll((item) => items.push(item));
        expect(new Set(items).size).toBe(items.length);
        return new Set(items);
      };
      const expected = (test: (item: Item) => boolean): Set<Item> => new Set(known.filter(test));
      expect(table.size).toBe(known.length);
      expect(found((visit) => table.all(visit))).toEqual(new Set(known));
      expect(found((visit) => table.each(CHAINS.session, key, visit))).toEqual(
        expected(({ session }) => session === key),
      );
      expect(found((visit) => table.each(CHAINS.subject, key, visit))).toEqual(
        expected(({ subject }) => subject === key),
      );
      expect(found((visit) => table.expiring(99, 120, visit))).toEqual(
        expected(({ expiry }) => expiry > 99 && expiry <= 120),
      );
      expect(found((visit) => table.expiring(0, 400, visit))).toEqual(
        expected(({ expiry }) => expiry <= 400),
      );
    });
    fc.assert(check, { numRuns: 150 });
  });

  it('WatchTable allows a visitor to remove entries, and visits none twice', () => {
    const table = new WatchTable<Item>();
    for (let i = 0; i < 1_000; i++) add(table, { session: 7, subject: i, expiry: 1 });
    let visited = 0;
    table.each(CHAINS.session, 7, (item) => {
      visited++;
      table.remove(item);
    });
    expect([visited, table.size]).toEqual([1_000, 0]);
  });

  it('WatchTable visits no entry that an earlier visit removed', () => {
    const table = new WatchTable<Item>();
    const given = { session: 7, subject: 1, expiry: 1 };
    const items = Array.from({ length: 3 }, () => add(table, given));
    const visited: Item[] = [];
    table.each(CHAINS.session, 7, (item) => {
      visited.push(item);
      for (const each of items) if (each.row !== 0) table.remove(each);
    });
    expect([visited, table.size]).toEqual([[items[2]], 0]);
  });
});
