import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, postgres, sqlite, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { codeOf, login } from '../../support/session-acts.js';

/** A BEFORE trigger that leaves a row out, and the statement succeeds. */
const TRIGGERS = {
  PostgreSQL: (when: string, table: string) => [
    `CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`,
    `CREATE TRIGGER leaves_out BEFORE ${when} ON ${table} FOR EACH ROW EXECUTE FUNCTION leave_out()`,
  ],
  SQLite: (when: string, table: string) => [
    `CREATE TRIGGER leaves_out BEFORE ${when} ON ${table} BEGIN SELECT RAISE(IGNORE); END`,
  ],
};

// MariaDB has no trigger that leaves a row out.
describeOn(
  [sqlite, postgres],
  'a session from which a trigger removes a row',
  ({ name, migrated }) => {
    let database: TestDatabase;
    let instance: Instance;

    beforeEach(async () => {
      database = await migrated();
      instance = await startInstance(database, { clock: new TestClock() });
      // The first of each kind builds the texts: then comes the one statement, if there is one.
      const { refreshToken } = await login(instance, 'warm-up');
      await instance.sessions.refresh(refreshToken);
    });

    afterEach(async () => {
      await instance?.close();
      await database?.drop();
    });

    const leaveOut = async (when: string, table: string): Promise<void> => {
      for (const sql of TRIGGERS[name as keyof typeof TRIGGERS](when, table)) {
        await instance.dataSource.query(sql);
      }
    };
    const stored = async (): Promise<unknown> => [
      await instance.dataSource.query('SELECT * FROM auth_session ORDER BY session_key'),
      await instance.dataSource.query('SELECT * FROM auth_refresh ORDER BY token_digest'),
    ];

    for (const table of ['auth_session', 'auth_refresh']) {
      it(`a login is not reported as started: INSERT ON ${table}`, async () => {
        await leaveOut('INSERT', table);
        const before = await stored();
        // In one statement, and then in several, which are used for a while after a failure.
        for (const _ of ['one', 'several']) {
          expect(await codeOf(login(instance, 'alice'))).toBe('storage_unavailable');
        }
        expect(await stored()).toEqual(before);
      });
    }

    for (const [when, table] of [
      ['INSERT', 'auth_refresh'],
      ['UPDATE', 'auth_session'],
    ] as const) {
      it(`a refresh is not reported as done: ${when} ON ${table}`, async () => {
        const { refreshToken } = await login(instance, 'alice');
        await leaveOut(when, table);
        const before = await stored();
        for (const _ of ['one', 'several']) {
          expect(await codeOf(instance.sessions.refresh(refreshToken))).toBe('storage_unavailable');
        }
        expect(await stored()).toEqual(before);
      });
    }
  },
);
