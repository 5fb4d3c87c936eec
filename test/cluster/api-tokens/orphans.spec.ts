import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { ApiTokenService } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { clockOf } from '../../support/controlled-instance.js';
import { describeOn, postgres, sqlite, type TestDatabase } from '../../support/databases.js';
import { eventually } from '../../support/eventually.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { codeOf, login } from '../../support/session-acts.js';

const CREATE = {
  PostgreSQL: (when: string) => [
    `CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`,
    `CREATE TRIGGER leaves_out BEFORE ${when} ON auth_session FOR EACH ROW EXECUTE FUNCTION leave_out()`,
  ],
  SQLite: (when: string) => [
    `CREATE TRIGGER leaves_out BEFORE ${when} ON auth_session BEGIN SELECT RAISE(IGNORE); END`,
  ],
};
const DROP = {
  PostgreSQL: 'DROP TRIGGER leaves_out ON auth_session',
  SQLite: 'DROP TRIGGER leaves_out',
};

// The trigger fails the write of the session after the row of its access token was written.
describeOn([sqlite, postgres], 'an opaque access token whose session was not written', (kind) => {
  const name = kind.name as keyof typeof CREATE;
  let database: TestDatabase;
  let here: Instance;

  beforeEach(async () => {
    database = await kind.migrated();
    here = await startInstance(database, {
      clock: new TestClock(),
      options: { apiTokens: { limit: 1 }, accessTokens: 'opaque' },
    });
  });

  afterEach(async () => {
    await here?.close();
    await database?.drop();
  });

  const fail = async (when: string): Promise<void> => {
    for (const sql of CREATE[name](when)) await here.dataSource.query(sql);
  };
  const mend = (): Promise<unknown> => here.dataSource.query(DROP[name]);
  const orphans = async (): Promise<number> => {
    const rows = (await here.dataSource.query(
      'SELECT sid FROM auth_api_token WHERE sid NOT IN (SELECT sid FROM auth_session)',
    )) as unknown[];
    return rows.length;
  };

  it('an access token without a session is never returned, listed or counted, and its row is deleted after it expires', async () => {
    await fail('INSERT');
    expect(await codeOf(login(here, 'alice'))).toBe('storage_unavailable');
    await mend();
    expect(await orphans()).toBe(1);
    const tokens = here.app.get(ApiTokenService);
    expect(await tokens.list('alice')).toEqual([]);
    await tokens.issue('alice', { name: 'the one that is allowed' });
    expect((await login(here, 'alice')).accessToken).toMatch(/^nlt_/);
    clockOf(here).advance(15 * 60_000 + 3 * 60_000);
    await eventually(async () => {
      await here.purge.purge();
      return (await orphans()) === 0;
    });
  });

  it('a refresh that stores an access token without a session loses nothing: the refresh token can be used again', async () => {
    const { accessToken, refreshToken } = await login(here, 'alice');
    await fail('UPDATE');
    expect(await codeOf(here.sessions.refresh(refreshToken))).toBe('storage_unavailable');
    await mend();
    expect(await here.judge(accessToken)).toBe('active');
    const next = await here.sessions.refresh(refreshToken);
    expect(await here.judge(next.accessToken)).toBe('active');
    await here.logout.logout(accessToken);
    expect(await here.judge(next.accessToken)).toBe('session_ended');
  });
});
