import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { AuthSettings } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';

describeOn(databaseKinds, 'the limit of sessions', (kind) => {
  let database: TestDatabase;
  let clock: TestClock;
  let here: Instance;

  beforeEach(async () => {
    database = await kind.migrated();
    clock = new TestClock();
  });

  afterEach(async () => {
    await here.close();
    await database.drop();
  });

  const start = async (maxSessions: AuthSettings['maxSessions']): Promise<void> => {
    here = await startInstance(database, { clock, options: { maxSessions } });
  };

  const login = async (client?: string): Promise<string> => {
    clock.advance(1_000);
    const result = await here.sessions.login(() => ({ subject: 'alice' }), { client });
    return result?.sessionId ?? '';
  };

  const open = async (): Promise<string[]> =>
    (await here.sessions.list('alice', { limit: 1_000 })).map(({ id }) => id);

  it('the limit of sessions is 100 unless an option sets another, and the oldest end', async () => {
    here = await startInstance(database, { clock });
    const ids: string[] = [];
    for (let i = 0; i < 103; i++) ids.push(await login());
    expect(await open()).toEqual(ids.slice(3).toReversed());
  });

  it('the limit of sessions can be false, which is none', async () => {
    await start(false);
    for (let i = 0; i < 103; i++) await login();
    expect(await open()).toHaveLength(103);
  });

  it('unlisted client names and missing ones share the smallest limit', async () => {
    await start({ web: 2, tv: 3 });
    const ids: string[] = [];
    // On MariaDB two texts are equal that differ in spaces at their ends only.
    for (const client of ['*', 'other', undefined, 'Web', 'web ', 'another', '*', '*', 'tv ']) {
      ids.push(await login(client));
    }
    expect(await open()).toEqual(ids.slice(-2).toReversed());
    for (const client of ['web', 'tv', 'web', 'tv', 'web', 'tv', 'tv']) {
      ids.push(await login(client));
    }
    const clients = (await here.sessions.list('alice')).map(({ client }) => client);
    expect(clients.toSorted()).toEqual(['*', 'tv', 'tv', 'tv', 'tv ', 'web', 'web']);
  });

  it('listed client names do not count against each other', async () => {
    await start({ web: 1, '*': 3 });
    const web = await login('web');
    for (let i = 0; i < 4; i++) await login('app');
    expect(await open()).toContain(web);
    expect(await open()).toHaveLength(4);
    await login('web');
    expect(await open()).not.toContain(web);
  });

  it('a limit that was lowered ends the 20 oldest sessions at each login until it is met', async () => {
    await start(false);
    const ids: string[] = [];
    for (let i = 0; i < 50; i++) ids.push(await login());
    await here.close();
    await start(5);
    ids.push(await login());
    expect(await open()).toEqual(ids.slice(20).toReversed());
    ids.push(await login());
    expect(await open()).toEqual(ids.slice(40).toReversed());
    ids.push(await login());
    expect(await open()).toEqual(ids.slice(-5).toReversed());
  });

  it('the limit does not count sessions that ended by a logout, a cut-off or expiry', async () => {
    await start(3);
    const [first, second] = [await login(), await login()];
    await here.logout.logoutSession(second);
    const third = await login();
    const fourth = await login();
    expect(await open()).toEqual([fourth, third, first]);
    await here.logout.logoutAll('alice');
    const after = [await login(), await login(), await login()];
    expect(await open()).toEqual(after.toReversed());
    clock.advance(31 * 86_400_000);
    const last = await login();
    expect(await open()).toEqual([last]);
  });

  it('the limit holds for logins at the same moment', async () => {
    await start(2);
    // The first login creates the row of the account, for which others wait anyway.
    await login();
    for (let pair = 0; pair < 20; pair++) {
      await Promise.all([login(), login()]);
      expect(await open()).toHaveLength(2);
    }
  });
});
