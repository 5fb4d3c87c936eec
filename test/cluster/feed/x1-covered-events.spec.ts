import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { follow, readEvents } from '../../support/log-tables.js';
import {
  clockOf,
  endSessions,
  ISSUER,
  letTimePass,
  listenForErrors,
} from '../../support/controlled-instance.js';

const MINUTE = 60_000;

describeOn(databaseKinds, 'a purge of what a later event covers', (kind) => {
  let database: TestDatabase;
  let here: Instance;
  let there: Instance;

  beforeEach(async () => {
    database = await kind.migrated();
    here = await startInstance(database, { clock: new TestClock() });
    there = await startInstance(database, { clock: new TestClock() });
  });

  afterEach(async () => {
    await here.close();
    await there.close();
    await database.drop();
    jest.restoreAllMocks();
  });

  /** Far below the lifetime of a token: by their age alone the rows would all stay. */
  const pass = (): void => [here, there].forEach((each) => letTimePass(clockOf(each), 11 * MINUTE));
  const positions = async (): Promise<number[]> =>
    (await readEvents(here.dataSource)).map(({ position }) => position);

  it('the purge leaves one row of a repeated logout, and every token stays refused', async () => {
    const token = await here.login('alice');
    for (let count = 0; count < 5; count++) await here.logout.logoutAll('alice');
    await here.logout.revokeKey('leaked');
    await here.logout.revokeKey('leaked');
    await endSessions(here, 1);
    await follow(there);
    expect(await here.purge.purge()).toBe(0); // too young (X1)
    pass();
    expect(await here.purge.purge()).toBeGreaterThanOrEqual(5);
    expect((await positions()).slice(0, 1)).toEqual([5]);
    const errors = listenForErrors();
    for (const instance of [here, there]) {
      await follow(instance);
      expect(await instance.judge(token)).toBe('session_ended');
    }
    const cold = await startInstance(database, { clock: clockOf(here) });
    expect(await cold.judge(token)).toBe('session_ended');
    expect(cold.revocation.isKeyRevoked('leaked')).toBe(true);
    await cold.close();
    expect(errors()).toEqual([]);
    expect(await here.purge.purge()).toBe(0);
  });

  it('the purge of covered events of each kind is no fork for an instance that remembers them', async () => {
    const act = async (): Promise<void> => {
      await here.log.append([
        { kind: 'subject', issuer: ISSUER, subject: 'alice' },
        { kind: 'subject', issuer: ISSUER, subject: 'alice', accessOnly: true },
        { kind: 'subject', issuer: ISSUER, subject: 'alice', exceptSession: 'S' },
        { kind: 'issuer', issuer: ISSUER },
      ]);
      await here.logout.revokeKey('leaked');
    };
    const token = await here.login('alice');
    await act();
    await follow(there);
    await act();
    await endSessions(here, 1);
    pass();
    const errors = listenForErrors();
    expect(await here.purge.purge()).toBe(6); // a key has two events below format 2
    expect((await positions())[0]).toBe(7);
    await follow(there); // its cursor is gone: it reloads and compares
    expect(errors()).toEqual([]);
    expect(await there.judge(token)).toBe('session_ended');
  });

  it('the purge looks at each event once, page by page', async () => {
    await endSessions(here, 3);
    pass();
    await here.purge.purge();
    const read = jest.spyOn((await here.open()).database, 'read');
    await here.purge.purge();
    expect(
      read.mock.calls.map(([{ sql, values }]) => [/created_at/.test(sql), values[0]]),
    ).toContainEqual([true, 3]);
  });

  it('the purge keeps an event that the later one spares, or covers for access tokens only', async () => {
    const subject = (more: object): Promise<unknown> =>
      here.log.append([{ kind: 'subject', issuer: ISSUER, subject: 'alice', ...more }]);
    await subject({});
    await subject({ exceptSession: 'S' });
    await subject({ exceptSession: 'T' });
    await subject({ accessOnly: true });
    await endSessions(here, 1);
    pass();
    expect(await here.purge.purge()).toBe(0);
    await subject({ exceptSession: 'T' });
    await endSessions(here, 1);
    [here, there].forEach((each) => letTimePass(clockOf(each), 22 * MINUTE));
    await here.dataSource.query('UPDATE auth_event SET keep_until = keep_until + 3600000');
    await here.purge.purge();
    expect(await positions()).toEqual([1, 2, 4, 5, 6, 7]);
  });
});
