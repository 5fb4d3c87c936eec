import { describe, expect, it } from '@jest/globals';
import { RevocationEvent } from '../../../lib/database/entities/revocation-event.entity.js';
import { columnsOf, reader } from '../../../lib/database/entities/table.js';
import { EVENT_PROPERTIES, eventOf } from '../../../lib/database/log.statements.js';
import { postgresDialect } from '../../../lib/database/postgres.dialect.js';
import { sqliteDialect } from '../../../lib/database/sqlite.dialect.js';
import { StatementRepository } from '../../../lib/database/statement-repository.js';
import type { Statement } from '../../../lib/database/statement.js';

describe('rows of the log', () => {
  it('eventOf reads the fields that RevocationEvent declares', () => {
    const values = { flag: '1', position: '7', text: 'logout' };
    const row = Object.fromEntries(
      columnsOf(RevocationEvent).map(({ as, kind, name }) => [
        as,
        kind in values ? values[kind as keyof typeof values] : `bytes of ${name}`,
      ]),
    );
    expect(eventOf(row)).toEqual(reader(RevocationEvent, EVENT_PROPERTIES)(row));
  });

  it('an undefined condition is an error, and never matches every row', () => {
    const events = new StatementRepository(sqliteDialect(), RevocationEvent);
    const id = undefined as unknown as string;
    expect(() => events.delete(['id'])(id)).toThrow('auth_event".event_id is undefined');
    expect(() => events.delete(['id IN'])([id])).toThrow('is undefined');
  });

  it('a statement without any condition is an error', () => {
    const events = new StatementRepository(sqliteDialect(), RevocationEvent);
    expect(() => events.delete([])).toThrow('Every row');
    expect(() => events.update([], ['actor'])).toThrow('Every row');
  });

  it('a list has as many placeholders as values, and its text is built once for each length', () => {
    const find = new StatementRepository(postgresDialect('public'), RevocationEvent).findSome(
      ['position IN', 'reason'],
      { only: ['position'] },
    );
    const condition = ({ sql }: Statement): string => sql.slice(sql.indexOf('WHERE'));
    expect(condition(find([1, 2], 'logout', 5))).toBe(
      'WHERE t.position IN ($1, $2) AND t.reason = $3 LIMIT $4',
    );
    expect(condition(find([1], 'logout', 5))).toBe(
      'WHERE t.position IN ($1) AND t.reason = $2 LIMIT $3',
    );
    expect(find([1, 2], 'logout', 5).values).toEqual([1, 2, 'logout', 5]);
  });

  it('an update puts the values of its conditions after those of its changes', () => {
    const update = new StatementRepository(sqliteDialect(), RevocationEvent).update(
      ['id', 'position <'],
      ['until', 'actor = COALESCE(?, actor)', "reason = 'logout'"],
    );
    expect(update('ab', 7, { until: null, actor: 'me' })).toEqual({
      sql:
        `UPDATE "auth_event" SET keep_until = ?, actor = COALESCE(?, actor), reason = 'logout' ` +
        'WHERE event_id = ? AND position < ?',
      values: [null, 'me', Buffer.from('ab', 'hex'), 7],
    });
  });
});
