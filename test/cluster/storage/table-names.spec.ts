import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { authTables, AuthWiringError } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { databaseKinds, describeOn, postgres, type TestDatabase } from '../../support/databases.js';
import { type Instance, type InstanceSettings, startInstance } from '../../support/instance.js';
import { follow } from '../../support/log-tables.js';
import { login } from '../../support/session-acts.js';

describeOn(databaseKinds, 'the names of our tables', (kind) => {
  let database: TestDatabase;
  let clock: TestClock;
  const opened: Instance[] = [];

  beforeEach(async () => {
    clock = new TestClock();
    database = await kind.create();
  });

  afterEach(async () => {
    for (const instance of opened.splice(0)) await instance.close();
    await database?.drop();
  });

  const start = async (options: InstanceSettings['options'] = {}): Promise<Instance> => {
    const instance = await startInstance(database, { clock, options });
    opened.push(instance);
    return instance;
  };
  const run = async <T>(work: (dataSource: DataSource) => Promise<T>): Promise<T> => {
    const dataSource = await new DataSource(database.options).initialize();
    try {
      return await work(dataSource);
    } finally {
      await dataSource.destroy();
    }
  };
  const namesOfTables = (): Promise<string[]> =>
    run(async (dataSource) => {
      const sql = {
        'better-sqlite3': `SELECT name AS name FROM sqlite_master WHERE type = 'table'`,
        postgres: `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`,
      }[dataSource.options.type as string];
      const rows: { name: string }[] = await dataSource.query(
        sql ??
          'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()',
      );
      return rows.map(({ name }) => name).filter((name) => !name.startsWith('sqlite_'));
    });

  for (const migrations of ['run', 'check'] as const) {
    it(`table names of another program stop the boot, and the error names the columns (migrations: '${migrations}')`, async () => {
      await run((dataSource) =>
        dataSource.query(
          'CREATE TABLE auth_session (id varchar(127) PRIMARY KEY, user_id varchar(15) NOT NULL)',
        ),
      );
      const error: unknown = await start({ migrations }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(AuthWiringError);
      expect(String(error)).toMatch(
        /"auth_session".*lacks the columns session_key, sid, .*subject/,
      );
      expect(String(error)).toContain('tablePrefix');
      expect(await namesOfTables()).toEqual(['auth_session']);
    });
  }

  it('table names start with tablePrefix, and two logs with different prefixes do not affect each other', async () => {
    const [shop, plain] = [await start({ tablePrefix: 'shop_' }), await start()];
    const names = await namesOfTables();
    expect(names).toContain('shop_auth_event');
    expect(names).toContain('shop_auth_migration');
    expect(names).toContain('auth_event');
    const [one, two] = [await shop.login('alice'), await shop.login('bob')];
    await shop.logout.logout(one);
    const receipt = await shop.dataSource.transaction((manager) =>
      shop.logout.logoutAll('bob', { manager }),
    );
    await receipt.applied();
    const again = await start({ tablePrefix: 'shop_', migrations: 'check' });
    await follow(again);
    expect(await again.judge(one)).toBe('session_ended');
    expect(await again.judge(two)).toBe('session_ended');
    const [{ count } = { count: -1 }] = await plain.dataSource.query<{ count: unknown }[]>(
      `SELECT COUNT(*) AS count FROM auth_event WHERE kind <> 'history'`,
    );
    expect(Number(count)).toBe(0);
  });

  it('table names of a new log beside one in use stop the boot, unless newLog confirms it', async () => {
    const old = await start();
    const token = await old.login('alice');
    await old.logout.logout(token);
    const error: unknown = await start({ tablePrefix: 'shop_' }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AuthWiringError);
    expect(String(error)).toMatch(/"shop_auth_log" is new and empty.*"auth_log".*newLog: true/s);
    expect(await namesOfTables()).not.toContain('shop_auth_log');

    const shop = await start({ tablePrefix: 'shop_', newLog: true });
    expect(await shop.judge(await shop.login())).toBe('active');
    // The older one continues, whatever is beside it.
    const again = await start({ migrations: 'check' });
    await follow(again);
    expect(await again.judge(token)).toBe('session_ended');
  });

  it('the migrations of authTables() create the tables in a DataSource of the application', async () => {
    const { migrations } = authTables({ tablePrefix: 'shop_' });
    const dataSource = await new DataSource({
      ...database.options,
      migrations: [...migrations, ...authTables().migrations],
    } as DataSourceOptions).initialize();
    await dataSource.runMigrations();
    await dataSource.destroy();
    for (const options of [{ tablePrefix: 'shop_' }, {}]) {
      const instance = await start({ ...options, migrations: 'check' });
      expect(await instance.judge(await instance.login())).toBe('active');
    }
  });
});

describeOn([postgres], 'a schema of the application’s DataSource', (kind) => {
  it.each(['my-app', 'app$1', 'app\\$12 of ?1'])(
    'the schema of our tables may be called %s',
    async (schema) => {
      const database = await kind.create();
      const quoted = `"${schema.replaceAll('"', '""')}"`;
      const dataSource = await new DataSource(database.options).initialize();
      await dataSource.query(`CREATE SCHEMA ${quoted}`);
      const options = { ...database.options, schema } as DataSourceOptions;
      const instance = await startInstance({ ...database, options }, { clock: new TestClock() });
      try {
        const [alice, bob] = [await login(instance, 'alice'), await login(instance, 'bob')];
        const next = await instance.sessions.refresh(alice.refreshToken);
        await instance.logout.logout(next.accessToken);
        await instance.logout.logoutAll('bob');
        expect(await instance.judge(next.accessToken)).toBe('session_ended');
        expect(await instance.judge(bob.accessToken)).toBe('session_ended');
        const [row] = await dataSource.query<{ count: string }[]>(
          `SELECT COUNT(*) AS count FROM ${quoted}.auth_event`,
        );
        expect(row?.count).toBe('2');
      } finally {
        await instance.close();
        await dataSource.destroy();
        await database.drop();
      }
    },
  );
});
