import { describe, expect, it } from '@jest/globals';
import { randomInt } from 'node:crypto';
import { FOREVER } from '../../../../lib/revocation/index/digest-shard.js';
import { DigestTable } from '../../../../lib/revocation/index/digest-table.js';
import { formatHexKey } from '../../../../lib/revocation/index/event-key.js';

const { imul, floor } = Math;

/** A small generator with a seed, so that a red run can be repeated. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = imul(state ^ (state >>> 15), state | 1);
    t ^= t + imul(t ^ (t >>> 7), t | 61);
    return floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

function keyOf(...words: number[]): Uint32Array {
  return Uint32Array.from(words);
}

/** What the table is to be: a Map, and each rule in one line. */
class Model {
  readonly entries = new Map<string, { until: number; note: number }>();

  add(key: Uint32Array, until: number, note: number): void {
    const name = formatHexKey(key);
    const old = this.entries.get(name);
    this.entries.set(name, {
      until: Math.max(old?.until ?? 0, until),
      note: old?.note || note,
    });
  }

  expire(now: number): void {
    for (const [name, { until }] of this.entries) if (until < now) this.entries.delete(name);
  }
}

const SLOTS_OF_ALL = 1e9;

describe('DigestTable', () => {
  it.each([
    { shardBits: 1, space: 40, steps: 30_000 },
    { shardBits: 1, space: 3_000, steps: 30_000 },
    { shardBits: 4, space: 20_000, steps: 60_000 },
    { shardBits: 12, space: 60_000, steps: 60_000 },
  ])(
    'DigestTable behaves like a Map: $space keys in 2^$shardBits shards',
    ({ shardBits, space, steps }) => {
      const seed = randomInt(2 ** 31);
      const random = generator(seed);
      const table = new DigestTable({ shardBits, payload: 1 });
      const model = new Model();
      // Keys that differ in one word only, in each of the four.
      const pool = Array.from({ length: space }, (_, i) => {
        const key = keyOf(7, 7, 7, 7);
        key[i % 4] = random(2 ** 32);
        return key;
      });
      let now = 1000;
      const where = (): string => `seed ${seed}`;
      const compare = (): void => {
        model.expire(now);
        table.sweep(now, SLOTS_OF_ALL);
        expect({ size: table.size, where: where() }).toEqual({
          size: model.entries.size,
          where: where(),
        });
        let wrong = 0;
        for (const key of pool) {
          const place = table.find(key);
          const known = model.entries.get(formatHexKey(key));
          if (place >= 0 !== (known !== undefined)) wrong++;
          if (place < 0 || known === undefined) continue;
          if (table.untilAt(place) !== known.until || table.noteAt(place) !== known.note) wrong++;
          if (table.wordsAt(place)[table.payloadAt(place)] !== (key[0]! ^ key[3]!) >>> 0) wrong++;
        }
        expect({ wrong, where: where() }).toEqual({ wrong: 0, where: where() });
      };
      for (let step = 0; step < steps; step++) {
        const key = pool[random(pool.length)]!;
        const until = random(50) === 0 ? FOREVER : now + random(200);
        const note = random(4);
        const place = table.add(key, until, note);
        table.wordsAt(place)[table.payloadAt(place)] = (key[0]! ^ key[3]!) >>> 0;
        model.add(key, until, note);
        if (random(100) === 0) {
          now += random(20);
          // What the table drops early by itself must be gone in the model as well.
          model.expire(now);
          table.sweep(now, SLOTS_OF_ALL);
        }
        if (step % (steps / 5) === 0) compare();
      }
      compare();
      // Entries for ever all stay; of the others none stays.
      now = FOREVER;
      compare();
      const forEver = [...model.entries.values()].filter(({ until }) => until === FOREVER).length;
      expect(table.size).toBe(forEver);
    },
  );

  it('DigestTable keeps an entry through the second of its time', () => {
    const table = new DigestTable();
    table.add(keyOf(1, 2, 3, 4), 100, 0);
    table.sweep(100, SLOTS_OF_ALL);
    expect(table.size).toBe(1);
    table.sweep(101, SLOTS_OF_ALL);
    expect(table.size).toBe(0);
    expect(table.find(keyOf(1, 2, 3, 4))).toBe(-1);
  });

  it('DigestTable never goes back in time', () => {
    const table = new DigestTable();
    table.sweep(200, SLOTS_OF_ALL);
    table.add(keyOf(1, 2, 3, 4), 150, 0);
    table.sweep(100, SLOTS_OF_ALL);
    expect(table.size).toBe(0);
  });

  it('DigestTable merges to the later time, and the first note that is set', () => {
    const table = new DigestTable();
    const key = keyOf(1, 2, 3, 4);
    table.add(key, 100, 0);
    table.add(key, 50, 3);
    table.add(key, 70, 5);
    table.add(key, 70, 0);
    const place = table.find(key);
    expect(table.size).toBe(1);
    expect(table.untilAt(place)).toBe(100);
    expect(table.noteAt(place)).toBe(3);
  });

  it('DigestTable sweeps in finite steps that come round', () => {
    const random = generator(1);
    const table = new DigestTable({ shardBits: 6 });
    const keys = Array.from({ length: 5_000 }, () =>
      keyOf(random(2 ** 32), random(2 ** 32), random(2 ** 32), random(2 ** 32)),
    );
    keys.forEach((key, i) => table.add(key, i % 2 === 0 ? 10 : 1000, 0));
    const dropped = table.sweep(11, 100);
    expect(dropped).toBeGreaterThan(0);
    expect(dropped).toBeLessThan(200);
    for (let i = 0; i < 64; i++) table.sweep(11, 100);
    expect(table.size).toBe(2_500);
    for (const [i, key] of keys.entries()) expect(table.find(key) >= 0).toBe(i % 2 === 1);
  });

  it('DigestTable returns its memory, and drops expired entries before it grows', () => {
    const random = generator(2);
    const table = new DigestTable({ shardBits: 2 });
    const fill = (until: number, count: number): void => {
      for (let i = 0; i < count; i++) {
        table.add(keyOf(random(2 ** 32), random(2 ** 32), random(2 ** 32), i), until, 0);
      }
    };
    expect(table.byteLength).toBe(0);
    fill(10, 10_000);
    const full = table.byteLength;
    // This sweep ends at once; the time it was called with is enough.
    table.sweep(20, 1);
    fill(1000, 10_000);
    expect(table.byteLength).toBeLessThan(full * 1.6);
    table.sweep(20, SLOTS_OF_ALL);
    expect(table.size).toBe(10_000);
    table.sweep(2000, SLOTS_OF_ALL);
    expect(table.byteLength).toBe(0);
  });

  it('DigestTable takes at most 45 bytes an entry at every size from 500,000 on', () => {
    const random = generator(3);
    const table = new DigestTable();
    const key = keyOf(0, 0, 0, 0);
    let worst = 0;
    for (let i = 1; i <= 1_200_000; i++) {
      for (let word = 0; word < 4; word++) key[word] = random(2 ** 32);
      table.add(key, 1000, 1);
      if (i >= 500_000 && i % 1_000 === 0) worst = Math.max(worst, table.byteLength / i);
    }
    expect(worst).toBeLessThanOrEqual(45);
  });

  it('DigestTable distributes chosen keys evenly', () => {
    // 20,000 keys that differ in a few bits of one word, under any seed: no shard takes them all.
    for (let word = 0; word < 4; word++) {
      const table = new DigestTable({ shardBits: 8 });
      const key = keyOf(0, 0, 0, 0);
      for (let i = 0; i < 20_000; i++) {
        key[word] = i << (word * 4);
        table.add(key, 1000, 1);
      }
      expect(table.byteLength / table.size).toBeLessThan(45);
    }
  });

  it('DigestTable knows which entries were not added again', () => {
    const table = new DigestTable();
    table.add(keyOf(1, 0, 0, 0), 100, 12);
    table.add(keyOf(2, 0, 0, 0), 100, 0);
    table.add(keyOf(3, 0, 0, 0), 10, 0);
    expect(table.countUnseen(0)).toBe(0);
    table.unsee();
    expect(table.countUnseen(0)).toBe(3);
    expect(table.countUnseen(11)).toBe(2);
    table.add(keyOf(1, 0, 0, 0), 5, 0);
    expect(table.countUnseen(11)).toBe(1);
    expect(table.noteAt(table.find(keyOf(1, 0, 0, 0)))).toBe(12);
  });
});
