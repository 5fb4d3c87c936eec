import { describe, expect, it } from '@jest/globals';
import { pageOf } from '../../../lib/database/event-page.js';
import { eventOf } from '../../../lib/database/log.statements.js';

const ONE = {
  event_position: '7',
  event_id: 'ab'.repeat(16),
  kind: 'subject',
  event_key: 'cd'.repeat(16),
  kills_below: '7',
  except_key: 'ef'.repeat(16),
  access_only: '1',
  issued_before: '1000',
  keep_until: '2000',
  reason: 'logout',
};
const OTHER = {
  ...ONE,
  event_position: '9',
  kind: 'key',
  kills_below: null,
  except_key: null,
  access_only: '0',
  issued_before: null,
  keep_until: null,
};

/** The row of a page that holds both, with some of its columns changed. */
function pageWith(changed: (list: string) => string, column = ''): Record<string, string> {
  const lists = Object.keys(ONE).map((name) => {
    const list = [ONE, OTHER].map((row) => `${row[name as keyof typeof ONE] ?? ''},`).join('');
    return [name, name === column ? changed(list) : list];
  });
  return { event_count: '2', last_position: '9', ...Object.fromEntries(lists) };
}

describe('a page of the log', () => {
  it('a page holds the events of its rows', () => {
    const page = pageOf([pageWith((list) => list)]);
    expect(page).toMatchObject({ count: 2, last: 9 });
    expect(page.events()).toEqual([ONE, OTHER].map(eventOf));
  });

  it('a page may be empty', () => {
    const page = pageOf([{ event_count: '0', last_position: null, event_id: null }]);
    expect({ ...page, events: page.events() }).toEqual({ count: 0, last: 0, events: [] });
  });

  it.each(Object.keys(ONE))('a page is refused if its list of %s was cut off', (column) => {
    const message = `A page of 2 events came with an incomplete list of ${column}.`;
    for (const cut of [(list: string) => list.slice(0, -1), () => ',', () => ',,,']) {
      expect(() => pageOf([pageWith(cut, column)]).events()).toThrow(message);
    }
  });

  it('a page holds the same events if they come as rows', () => {
    const page = pageOf([ONE, OTHER]);
    expect(page).toMatchObject({ count: 2, last: 9 });
    expect(page.events()).toEqual([ONE, OTHER].map(eventOf));
    expect(pageOf([])).toMatchObject({ count: 0, last: 0 });
  });
});
