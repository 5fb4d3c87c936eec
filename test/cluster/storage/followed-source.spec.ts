import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { TestClock } from 'nestjs-logout/testing';
import type { DataSourceOptions } from 'typeorm';
import { createUser, type DatabaseUser } from '../../support/database-user.js';
import { describeOn, serverKinds, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { followAgain } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';
import { follow, headPosition } from '../../support/log-tables.js';

describeOn(serverKinds, 'the connection of the log follows the DataSource', (kind) => {
  let database: TestDatabase;
  let user: DatabaseUser | undefined;
  let instance: Instance;
  const others: { close(): Promise<unknown> }[] = [];

  beforeEach(async () => {
    for (const level of ['log', 'warn', 'error'] as const) {
      jest.spyOn(Logger.prototype, level).mockImplementation(() => undefined);
    }
    database = await kind.create();
  });

  afterEach(async () => {
    await instance?.close();
    for (const other of others.splice(0)) await other.close();
    await user?.drop();
    user = undefined;
    await database?.drop();
    jest.restoreAllMocks();
  });

  const start = async (options: DataSourceOptions): Promise<void> => {
    // A copy: setOptions() changes the object that the DataSource was created with.
    instance = await startInstance(
      { ...database, options: { ...options } },
      { clock: new TestClock() },
    );
  };
  const reinitialise = async (options: object): Promise<void> => {
    await instance.dataSource.destroy();
    instance.dataSource.setOptions(options as Partial<DataSourceOptions>);
    // TypeORM's driver of MySQL has a copy of them, which setOptions() leaves as it is.
    Object.assign(instance.dataSource.driver.options, options);
    await instance.dataSource.initialize();
  };
  /** Polls, writes and reads reach the log: whatever was logged out before is still so. */
  const expectToWork = async (loggedOut: string, token: string): Promise<void> => {
    await followAgain(instance);
    expect(await instance.judge(loggedOut)).toBe('session_ended');
    expect(await instance.judge(token)).toBe('active');
    await instance.logout.logout(token);
    expect(await instance.judge(token)).toBe('session_ended');
    expect(await instance.judge(await instance.login('carol'))).toBe('active');
  };

  it('the log follows a rotated password once the application has initialised its DataSource again', async () => {
    user = await createUser(database, 'p1');
    await start(user.options);
    const [one, two] = [await instance.login('alice'), await instance.login('bob')];
    await instance.logout.logout(one);
    await user.setPassword('p2');
    await reinitialise({ password: 'p2' });
    await user.disconnect();
    await expectToWork(one, two);
  });

  it('the log follows a password that was changed in the options, once the database refuses the old one', async () => {
    user = await createUser(database, 'p1');
    await start(user.options);
    const [one, two] = [await instance.login('alice'), await instance.login('bob')];
    await instance.logout.logout(one);
    await user.setPassword('p2');
    Object.assign(instance.dataSource.options, { password: 'p2' });
    await user.disconnect();
    await expectToWork(one, two);
  });

  it('the log follows a new address of the same log, and leaves the old one', async () => {
    const { proxy: old, through } = await TcpProxy.before(database);
    const { proxy: next, through: elsewhere } = await TcpProxy.before(database);
    others.push(old, next);
    await start(through.options);
    const [one, two] = [await instance.login('alice'), await instance.login('bob')];
    await instance.logout.logout(one);
    await reinitialise({ url: (elsewhere.options as { url: string }).url });
    await follow(instance); // while both addresses work
    await old.close();
    others.splice(others.indexOf(old), 1);
    await expectToWork(one, two);
  });

  it('after a change to an address without an answer, the old connections are closed with the application', async () => {
    const { proxy: old, through } = await TcpProxy.before(database);
    const { proxy: next, through: elsewhere } = await TcpProxy.before(database);
    others.push(old, next);
    await start(through.options);
    await instance.login('alice');
    await follow(instance);
    await reinitialise({ url: (elsewhere.options as { url: string }).url });
    next.refuse();
    await eventually(async () => !(await instance.feed.strictProof()));
    expect(old.open).toBeGreaterThan(0);
    await instance.close();
    await eventually(() => old.open === 0);
  });

  it('a change to another log closes the instance with an error that names both, and nothing is written there', async () => {
    const stranger = await kind.create();
    others.push({ close: () => stranger.drop() });
    const there = await startInstance(stranger, { clock: new TestClock() });
    const other = (await there.open()).id;
    const before = await headPosition(there.dataSource);
    await there.close();
    await start(database.options);
    const { id } = await instance.open();
    const token = await instance.login('alice');
    await reinitialise({ url: (stranger.options as { url: string }).url });

    await eventually(async () => !(await instance.feed.strictProof()));
    const why = String(instance.feed.failure);
    expect(why).toContain(id);
    expect(why).toContain(other);
    expect(await instance.tokens.verify(token, { freshness: 'strict' }).catch(codeOf)).toBe(
      'revocation_state_unknown',
    );
    expect(await instance.login('bob').catch(codeOf)).toBe('storage_unavailable');
    expect(await headPosition(instance.dataSource)).toBe(before);

    await reinitialise({ url: (database.options as { url: string }).url });
    await followAgain(instance);
    expect(await instance.judge(token)).toBe('active');
  });

  it('an address that leads to another log closes the instance, and neither log jumps', async () => {
    await start(database.options);
    const token = await instance.login('alice');
    const { id } = await instance.open();
    const before = await headPosition(instance.dataSource);
    await instance.dataSource.query(`UPDATE auth_log SET log_id = 'another'`);

    expect(await instance.feed.strictProof()).toBe(false);
    expect(String(instance.feed.failure)).toMatch(new RegExp(`log another .* log ${id}`));
    expect(await instance.judge(token)).toBe('revocation_state_unknown');
    expect(await instance.login('bob').catch(codeOf)).toBe('storage_unavailable');
    expect(await instance.logout.logout(token).catch(codeOf)).toBe('storage_unavailable');
    expect(await headPosition(instance.dataSource)).toBe(before);

    await instance.dataSource.query(`UPDATE auth_log SET log_id = '${id}'`);
    await followAgain(instance);
    expect(await instance.judge(token)).not.toBe('revocation_state_unknown');
  });
});

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}
