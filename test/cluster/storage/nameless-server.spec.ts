import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { DataSource } from 'typeorm';
import { describeOn, postgres, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { follow } from '../../support/log-tables.js';

describeOn([postgres], 'a server that hides its timeline', (kind) => {
  let database: TestDatabase;
  const opened: Instance[] = [];

  beforeEach(async () => {
    database = await kind.create();
    const admin = await new DataSource(database.options).initialize();
    try {
      // Amazon Aurora refuses every function of the WAL so, to any role.
      await admin.query(
        `CREATE FUNCTION public.pg_current_wal_lsn() RETURNS pg_lsn LANGUAGE plpgsql VOLATILE AS $$ BEGIN ` +
          `RAISE EXCEPTION 'Function pg_current_wal_lsn() is currently not supported for Aurora' ` +
          `USING ERRCODE = '0A000'; END $$`,
      );
      await admin.query(
        `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', ` +
          `current_database()); END $$`,
      );
    } finally {
      await admin.destroy();
    }
  });

  afterEach(async () => {
    for (const instance of opened.splice(0)) await instance.close();
    await database?.drop();
  });

  const start = async (): Promise<Instance> => {
    const instance = await startInstance(database, { clock: new TestClock(), jumpsAtLoad: true });
    opened.push(instance);
    return instance;
  };

  it('a server that does not report its timeline is accepted, and its log jumps at each start (H2)', async () => {
    const here = await start();
    expect(here.revocation.status()).toMatchObject({ ready: true, fresh: true });
    const token = await here.login('alice');
    const before = here.cursor.position;
    const there = await start();
    expect(there.cursor.position).toBeGreaterThan(before);
    await there.logout.logout(token);
    await follow(here);
    expect(await here.judge(token)).toBe('session_ended');
    expect(await there.judge(await here.login('alice'))).toBe('active');
  });
});
