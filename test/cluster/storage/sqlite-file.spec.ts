import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type BetterSqlite from 'better-sqlite3';
import { basename, dirname } from 'node:path';
import { authMigrations } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import type { DataSourceOptions } from 'typeorm';
import { sqlite, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { openLogDatabase } from '../../support/internals.js';
import { clockOf } from '../../support/controlled-instance.js';
import { follow } from '../../support/log-tables.js';
import { codeOf } from '../../support/session-acts.js';

describe('on SQLite the log', () => {
  let database: TestDatabase;
  let here: Instance | undefined;

  beforeEach(async () => {
    database = await sqlite.create();
  });

  afterEach(async () => {
    await here?.close();
    here = undefined;
    await database.drop();
  });

  const start = async (options: object = {}): Promise<Instance> => {
    const given = { ...database.options, ...options } as DataSourceOptions;
    here = await startInstance({ ...database, options: given }, { clock: new TestClock() });
    return here;
  };
  const pragma = async (name: string): Promise<{ ours: unknown; theirs: unknown }> => {
    if (here === undefined) throw new Error('Nothing was started.');
    const { database: log } = await here.open();
    const { rows } = await log.read({ sql: `PRAGMA ${name}`, values: [] });
    const theirs = (await here.dataSource.query(`PRAGMA ${name}`)) as object[];
    return { ours: Object.values(rows[0] ?? {})[0], theirs: Object.values(theirs[0] ?? {})[0] };
  };

  it('the log works in an in-memory database, on the application’s own handle', async () => {
    const instance = await start({ database: ':memory:' });
    const token = await instance.login('alice');
    await instance.logout.logout(token);
    await follow(instance);
    expect(await instance.judge(token)).toBe('session_ended');
    expect(await instance.dataSource.query('SELECT position FROM auth_event')).toHaveLength(1);
    await instance.close();
    here = undefined;
  });

  it('an in-memory database that is opened again has no log, and proves nothing', async () => {
    const instance = await start({ database: ':memory:' });
    const [out, token] = [await instance.login('alice'), await instance.login('bob')];
    await instance.logout.logout(out);
    await follow(instance);
    await instance.dataSource.destroy();
    await instance.dataSource.initialize();
    // As an application that runs our migrations itself: a new and empty log.
    const runner = instance.dataSource.createQueryRunner();
    for (const Migration of authMigrations) await new Migration().up(runner);
    await runner.release();

    expect(await instance.feed.strictProof()).toBe(false);
    expect(String(instance.feed.failure)).toContain('opened its in-memory DataSource again');
    expect(await instance.judge(out)).toBe('session_ended');
    clockOf(instance).advance(5_001);
    expect(await instance.judge(out)).toBe('session_ended');
    expect(await instance.judge(token)).toBe('revocation_state_unknown');
    expect(await codeOf(instance.logout.logout(token))).toBe('storage_unavailable');
    expect(await codeOf(instance.login('carol'))).toBe('storage_unavailable');
  });

  it('an in-memory log does not see what the application has not committed', async () => {
    const instance = await start({ database: ':memory:' });
    const token = await instance.login('alice');
    const runner = instance.dataSource.createQueryRunner();
    await runner.startTransaction();
    await instance.logout.logout(token, { manager: runner.manager });
    const followed = follow(instance);
    const logout = instance.logout.logoutSession('another');
    let isFollowed = false;
    void followed.then(() => (isFollowed = true));
    await new Promise((resolve) => setTimeout(resolve, 20)); // time to be wrong in
    expect(isFollowed).toBe(false);
    await runner.rollbackTransaction();
    await followed;
    await logout;
    await follow(instance);
    expect(await instance.judge(token)).toBe('active');
  });

  it('the log is in the same file after the working directory was changed', async () => {
    const file = String(database.options.database);
    const before = process.cwd();
    process.chdir(dirname(file));
    try {
      const instance = await start({ database: basename(file) });
      process.chdir(before);
      await instance.logout.logoutSession('one');
      expect(await instance.dataSource.query('SELECT position FROM auth_event')).toHaveLength(1);
    } finally {
      process.chdir(before);
    }
  });

  for (const mode of ['delete', 'wal']) {
    it(`the log keeps the journal mode ${mode}, and is on disk when a logout resolves`, async () => {
      const prepareDatabase = (handle: BetterSqlite.Database): void => {
        handle.pragma(`journal_mode = ${mode}`);
        handle.pragma('synchronous = OFF');
        handle.pragma('busy_timeout = 7000');
      };
      const instance = await start({ prepareDatabase });
      await instance.logout.logoutSession('one');
      expect(await pragma('journal_mode')).toEqual({ ours: mode, theirs: mode });
      expect(await pragma('synchronous')).toEqual({ ours: 2, theirs: 0 });
      expect(await pragma('busy_timeout')).toEqual({ ours: 0, theirs: 7000 });
    });
  }

  it('the log uses the same SQLite library that the application opened', async () => {
    const instance = await start();
    const driver = instance.dataSource.driver as unknown as {
      databaseConnection: BetterSqlite.Database;
    };
    const log = await openLogDatabase({
      source: instance.dataSource,
      schema: undefined,
      migrations: 'check',
    });
    const { handle } = log as unknown as { handle: BetterSqlite.Database };
    expect(handle).not.toBe(driver.databaseConnection);
    expect(handle.constructor).toBe(driver.databaseConnection.constructor);
    await log.close();
  });

  it('the error names { manager } if a transaction of the application never ends', async () => {
    const instance = await start();
    const token = await instance.login('alice');
    const runner = instance.dataSource.createQueryRunner();
    await runner.startTransaction();
    await expect(instance.logout.logout(token)).rejects.toMatchObject({
      status: 503,
      message: expect.stringContaining('{ manager }'),
    });
    await runner.rollbackTransaction();
  });
});
