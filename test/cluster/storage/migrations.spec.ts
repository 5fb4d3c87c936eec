import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout } from 'node:timers/promises';
import { authMigrations } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { DataSource, type DataSourceOptions, EntitySchema } from 'typeorm';
import { databaseKinds, describeOn, sqlite, type TestDatabase } from '../../support/databases.js';
import { startInstance } from '../../support/instance.js';
import { LogStatements, openLogDatabase } from '../../support/internals.js';
import { readEvents } from '../../support/log-tables.js';

const order = new EntitySchema({
  name: 'Order',
  tableName: 'orders',
  columns: { id: { type: Number, primary: true }, note: { type: String, length: 50 } },
});

describe('our tables', () => {
  describeOn(databaseKinds, 'created', (kind) => {
    let database: TestDatabase;
    const sources: DataSource[] = [];

    beforeEach(async () => {
      database = await kind.create();
    });

    afterEach(async () => {
      for (const source of sources.splice(0)) if (source.isInitialized) await source.destroy();
      await database?.drop();
    });

    const open = async (options: object = {}): Promise<DataSource> => {
      const given = { ...database.options, ...options } as DataSourceOptions;
      const source = await new DataSource(given).initialize();
      sources.push(source);
      return source;
    };
    const checkBoot = async (): Promise<void> => {
      const instance = await startInstance(database, { options: { migrations: 'check' } });
      await instance.close();
    };

    it('five instances at once create one set of tables and one log', async () => {
      const logs = await Promise.all(
        Array.from({ length: 5 }, () =>
          openLogDatabase({ source: database.options, schema: undefined, migrations: 'run' }),
        ),
      );
      const ids = await Promise.all(
        logs.map(async (log) => {
          const { rows } = await log.read(new LogStatements(log.dialect).logId());
          return rows.map((row) => row['log_id']);
        }),
      );
      await Promise.all(logs.map((log) => log.close()));
      expect(ids[0]).toHaveLength(1);
      expect(ids).toEqual(Array.from({ length: 5 }, () => ids[0]));
      const recorded = (await (await open()).query('SELECT name FROM auth_migration')) as unknown[];
      expect(recorded).toHaveLength(authMigrations.length);
    });

    it('tables from the application’s own migrations pass the check, and a revert removes them', async () => {
      const source = await open({ migrations: [...authMigrations] });
      expect(await source.runMigrations()).toHaveLength(authMigrations.length);
      expect(await source.runMigrations()).toEqual([]);
      await checkBoot();
      for (const _ of authMigrations) await source.undoLastMigration();
      await expect(checkBoot()).rejects.toThrow(
        /lacks these tables.*Run node_modules\/nestjs-logout\/docs\/sql\//s,
      );
    });

    it('tables of release 0.1 are widened, and reverting each migration restores their columns', async () => {
      const old = await open({ migrations: authMigrations.slice(0, 2) });
      await old.runMigrations();
      await expect(checkBoot()).rejects.toThrow(/auth_session_open.*upgrade-0\.2\.sql/s);
      const source = await open({ migrations: [...authMigrations] });
      expect(await source.runMigrations()).toHaveLength(2);
      await checkBoot();
      await source.undoLastMigration();
      // The table of an option that is off may be missing.
      await checkBoot();
      const options = { migrations: 'check', apiTokens: true } as const;
      await expect(startInstance(database, { options })).rejects.toThrow(
        /auth_api_token\..*upgrade-0\.2\.sql/s,
      );
      await source.undoLastMigration();
      await expect(checkBoot()).rejects.toThrow('auth_event_key');
      await expect(old.query('SELECT persistent FROM auth_session')).rejects.toThrow(/persistent/);
      expect(await source.runMigrations()).toHaveLength(2);
      await checkBoot();
    });

    it('running the migrations twice keeps the rows', async () => {
      const instance = await startInstance(database, { clock: new TestClock() });
      await instance.logout.logoutSession('one');
      await instance.close();
      const source = await open({ migrations: [...authMigrations] });
      await source.runMigrations(); // the application takes over what 'run' created
      expect(await readEvents(source)).toHaveLength(1);
      await checkBoot();
    });

    it('migration:generate and synchronize of the application ignore our tables', async () => {
      const source = await open({ entities: [order], synchronize: true });
      const instance = await startInstance(database, { clock: new TestClock() });
      await instance.logout.logoutSession('one');
      const { upQueries, downQueries } = await source.driver.createSchemaBuilder().log();
      expect([...upQueries, ...downQueries].map(({ query }) => query)).toEqual([]);
      await source.synchronize();
      expect(await readEvents(source)).toHaveLength(1);
      await instance.close();
      await checkBoot();
    });

    it('migration:generate generates only the application’s own changes', async () => {
      const instance = await startInstance(database, { clock: new TestClock() });
      await instance.close();
      const source = await open({ entities: [order] });
      const { upQueries } = await source.driver.createSchemaBuilder().log();
      expect(upQueries).toHaveLength(1);
      expect(upQueries[0]?.query).toMatch(/CREATE TABLE .orders./);
    });
  });

  describeOn([sqlite], 'created while another process writes', () => {
    it('the tables are created once the other process has finished writing', async () => {
      const database = await sqlite.create();
      const other = await new DataSource(database.options).initialize();
      await other.query('BEGIN IMMEDIATE');
      const opening = openLogDatabase({
        source: database.options,
        schema: undefined,
        migrations: 'run',
      });
      opening.catch(() => undefined);
      await setTimeout(50); // it has met SQLITE_BUSY by now, or else it will not
      await other.query('COMMIT');
      const log = await opening;
      await log.close();
      await other.destroy();
      await database.drop();
    });
  });
});
