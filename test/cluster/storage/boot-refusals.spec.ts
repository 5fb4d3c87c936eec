import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AuthWiringError } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { type DataSource, EntitySchema, type DataSourceOptions } from 'typeorm';
import type { InstanceSettings } from '../../support/instance.js';
import { databaseKinds, describeOn, postgres, type TestDatabase } from '../../support/databases.js';
import { startInstance } from '../../support/instance.js';

const theirEvent = new EntitySchema({
  name: 'CalendarEvent',
  tableName: 'auth_event',
  columns: { id: { type: Number, primary: true } },
});

describe('a database that only a person can fix stops the boot, with the fix', () => {
  let database: TestDatabase;

  afterEach(async () => {
    await database?.drop();
  });

  const refusal = async (
    options: NonNullable<InstanceSettings['options']>,
    dataSource: object = {},
  ): Promise<string> => {
    const given = { ...database.options, ...dataSource } as DataSourceOptions;
    const booting = startInstance(
      { ...database, options: given },
      { clock: new TestClock(), options },
    );
    const error: unknown = await booting.then(
      (instance) => instance.close(),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(AuthWiringError);
    return (error as Error).message;
  };
  const makeTables = async (then?: (dataSource: DataSource) => Promise<unknown>): Promise<void> => {
    const instance = await startInstance(database, { clock: new TestClock() });
    await then?.(instance.dataSource);
    await instance.close();
  };

  describeOn(databaseKinds, 'a database', (kind) => {
    beforeEach(async () => {
      database = await kind.create();
    });

    it('a database without our tables stops the boot, with the fix', async () => {
      const message = await refusal({ migrations: 'check' });
      expect(message).toMatch(/auth_log, auth_head, auth_event, auth_pending/);
      expect(message).toContain("migrations: 'run'");
      expect(message).toContain('...authMigrations');
      expect(message).toMatch(/docs\/sql\/(sqlite|postgres|mysql)\.up\.sql/);
    });

    for (const index of ['auth_event_id', 'auth_event_keep_until']) {
      it(`a database without the index ${index} stops the boot, with the fix`, async () => {
        const table = kind.name === 'MariaDB' ? ' ON auth_event' : '';
        await makeTables((dataSource) => dataSource.query(`DROP INDEX ${index}${table}`));
        const message = await refusal({ migrations: 'check' });
        expect(message).toContain(`: ${index}.`);
      });
    }

    it('an entity of the application with the name of our table stops the boot, with the fix', async () => {
      const message = await refusal({ migrations: 'run' }, { entities: [theirEvent] });
      expect(message).toMatch(/CalendarEvent.*"auth_event"/);
      expect(message).toContain('Rename the table');
    });

    it('a database with all tables and indexes boots', async () => {
      await makeTables();
      const instance = await startInstance(database, { options: { migrations: 'check' } });
      expect(instance.revocation.status().ready).toBe(true);
      await instance.close();
    });
  });

  describeOn([postgres], 'a server', () => {
    it('a role that may only read stops the boot, with the fix', async () => {
      database = await postgres.create();
      await makeTables(async (dataSource) => {
        const name = new URL(database.url).pathname.slice(1);
        await dataSource.query(`CREATE ROLE ${name} LOGIN SUPERUSER PASSWORD 'reader'`);
        await dataSource.query(`ALTER ROLE ${name} SET default_transaction_read_only = on`);
      });
      const url = new URL(database.url);
      const role = url.pathname.slice(1);
      url.username = role;
      url.password = 'reader';
      const message = await refusal({ migrations: 'check' }, { url: url.href });
      expect(message).toMatch(/read-only.*a logout must be written.*primary/s);
      await database.drop();
      database = await postgres.create();
      await makeTables((dataSource) => dataSource.query(`DROP ROLE ${role}`));
    });
  });
});
