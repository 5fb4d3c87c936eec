import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import type { QueryRunner } from 'typeorm';
import {
  databaseKinds,
  describeOn,
  postgres,
  serverKinds,
  type TestDatabase,
} from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { follow } from '../../support/log-tables.js';
import { endSessions, knows } from '../../support/controlled-instance.js';

describe('F1: a snapshot that is kept open does not freeze the feed', () => {
  let database: TestDatabase;
  const opened: { close(): Promise<unknown> }[] = [];

  afterEach(async () => {
    for (const each of opened.splice(0).toReversed()) await each.close();
    await database?.drop();
  });

  const start = async (on = database): Promise<Instance> => {
    const instance = await startInstance(on, { clock: new TestClock() });
    opened.push(instance);
    return instance;
  };
  const expectToFollow = async (here: Instance, there: Instance): Promise<void> => {
    for (let round = 0; round < 3; round++) {
      const [sid = ''] = await endSessions(there, 1);
      await follow(here);
      expect(knows(here, sid)).toBe(true);
    }
  };

  describeOn(databaseKinds, 'the application’s own', (kind) => {
    let here: Instance;
    let runner: QueryRunner;

    beforeEach(async () => {
      database = await kind.migrated();
      here = await start();
      // SQLite: a reader that stays and a writer exclude each other in every other journal mode.
      if (kind.name === 'SQLite') await here.dataSource.query('PRAGMA journal_mode = WAL');
      runner = here.dataSource.createQueryRunner();
      await runner.startTransaction(kind.name === 'SQLite' ? 'SERIALIZABLE' : 'REPEATABLE READ');
      await runner.query('SELECT position FROM auth_event');
    });

    it('an open snapshot of the application sees nothing new, and the feed sees everything', async () => {
      await expectToFollow(here, await start());
      expect(await runner.query('SELECT position FROM auth_event')).toEqual([]);
      await runner.rollbackTransaction();
      if (kind.name !== 'SQLite') await runner.release();
    });
  });

  describeOn(serverKinds, 'a connection that opens transactions by itself', (kind) => {
    it('the feed reads new commits on a connection that opens transactions by itself', async () => {
      database = await kind.migrated();
      const here = await start();
      const { database: log } = await here.open();
      // As a server does whose default is autocommit = 0, or a proxy that keeps transactions open.
      const { feed: connection } = log as unknown as { feed: { link: { runner: QueryRunner } } };
      const { runner: feed } = connection.link;
      await feed.query(kind.name === 'MariaDB' ? 'SET autocommit = 0' : 'BEGIN');
      await feed.query('SELECT position FROM auth_head');
      await expectToFollow(here, await start());
    });
  });

  describeOn([postgres], 'a role whose default is serializable', () => {
    it('an instance whose role defaults to serializable writes, follows and is followed', async () => {
      database = await postgres.migrated();
      const here = await start();
      const name = new URL(database.url).pathname.slice(1);
      await here.dataSource.query(
        `ALTER DATABASE ${name} SET default_transaction_isolation = 'serializable'`,
      );
      const [one, two] = [await start(), await start()];
      await expectToFollow(one, two);
      const { database: log } = await one.open();
      const level = await log.transaction(function* () {
        const sql = `SELECT current_setting('transaction_isolation') AS level`;
        const { rows } = yield { sql, values: [] };
        return rows[0]?.['level'];
      });
      expect(level).toBe('read committed');
      const all = await Promise.all(
        [one, two].flatMap((instance, from) =>
          Array.from({ length: 20 }, (_, index) =>
            instance.logout.logoutSession(`s-${from}-${index}`),
          ),
        ),
      );
      expect(all).toHaveLength(40);
      for (const instance of [one, two]) await follow(instance);
      expect(one.cursor.position).toBe(43);
      expect(two.cursor.position).toBe(43);
    });
  });
});
