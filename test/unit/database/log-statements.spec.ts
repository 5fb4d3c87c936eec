import { describe, expect, it } from '@jest/globals';
import { RevocationEvent } from '../../../lib/database/entities/revocation-event.entity.js';
import { columnsOf, reader } from '../../../lib/database/entities/table.js';
import { EVENT_PROPERTIES, eventOf } from '../../../lib/database/log.statements.js';
import { sqliteDialect } from '../../../lib/database/sqlite.dialect.js';
import { oneOf, StatementRepository } from '../../../lib/database/statement-repository.js';

describe('rows of the log', () => {
  it('eventOf reads what the declarations of RevocationEvent say', () => {
    const values = { flag: '1', position: '7', text: 'logout' };
    const row = Object.fromEntries(
      columnsOf(RevocationEvent).map(({ as, kind, name }) => [
        as,
        kind in values ? values[kind as keyof typeof values] : `bytes of ${name}`,
      ]),
    );
    expect(eventOf(row)).toEqual(reader(RevocationEvent, EVENT_PROPERTIES)(row));
  });

  it('a condition that is undefined is an error, never every row', () => {
    const events = new StatementRepository(sqliteDialect(), RevocationEvent);
    const id = undefined as unknown as string;
    expect(() => events.delete({ id })).toThrow('auth_event".event_id is undefined');
    expect(() => events.delete({ id: oneOf([id]) })).toThrow('is undefined');
  });

  it('no condition at all is an error for a change', () => {
    const events = new StatementRepository(sqliteDialect(), RevocationEvent);
    expect(() => events.delete({})).toThrow('every row');
    expect(() => events.update({}, { actor: null })).toThrow('every row');
  });
});
