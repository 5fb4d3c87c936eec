import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type BetterSqlite from 'better-sqlite3';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { TestClock } from 'nestjs-logout/testing';
import type { DataSource, EntityManager } from 'typeorm';
import { sqlite, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { follow } from '../../support/log-tables.js';

const ROUNDS = 40;
const LOGOUTS = 60;

type Work = (dataSource: DataSource, round: number) => Promise<unknown>;

const UPDATE = 'UPDATE stock SET amount = amount + 1 WHERE id = ?';
const read = (manager: EntityManager): Promise<{ amount: number }[]> =>
  manager.query('SELECT amount FROM stock WHERE id = 1');

/** What applications do with SQLite; each left to itself meets no SQLITE_BUSY. */
const LOADS: Readonly<Record<string, Work>> = {
  'single UPDATEs': async (dataSource, round) => {
    await dataSource.query(UPDATE, [(round % 9) + 1]);
    await setImmediate();
  },
  'short transactions': async (dataSource) => {
    await dataSource.transaction(async (manager) => {
      await manager.query(UPDATE, [1]);
      await manager.query(UPDATE, [2]);
    });
    await setImmediate();
  },
  'transactions that read, await and write': async (dataSource) => {
    await dataSource.transaction(async (manager) => {
      const [row] = await read(manager);
      await setTimeout(1);
      await manager.query('UPDATE stock SET amount = ? WHERE id = 1', [(row?.amount ?? 0) + 1]);
    });
    await setImmediate();
  },
  'transactions that write, await and write': async (dataSource) => {
    await dataSource.transaction(async (manager) => {
      await manager.query(UPDATE, [1]);
      await setTimeout(2);
      await manager.query(UPDATE, [2]);
    });
    await setImmediate();
  },
  'long transactions': async (dataSource) => {
    await dataSource.transaction(async (manager) => {
      for (let id = 1; id <= 5; id++) {
        await manager.query(UPDATE, [id]);
        await setTimeout(2);
      }
    });
    await setTimeout(1);
  },
  'rows that are read one by one, with writes between': async (dataSource) => {
    const { databaseConnection } = dataSource.driver as unknown as {
      databaseConnection: BetterSqlite.Database;
    };
    for (const row of databaseConnection.prepare('SELECT id FROM stock').iterate()) {
      expect(row).toBeDefined();
      await setTimeout(1);
    }
    await dataSource.query(UPDATE, [1]);
    // A reader that never pauses keeps every writer out, in every process.
    await setTimeout(5);
  },
};

describe('an application on SQLite gets no more SQLITE_BUSY than without the log', () => {
  let database: TestDatabase;
  let here: Instance;

  beforeEach(async () => {
    database = await sqlite.create();
  });

  afterEach(async () => {
    await here?.close();
    await database?.drop();
  });

  for (const mode of ['DELETE', 'WAL']) {
    for (const [title, work] of Object.entries(LOADS)) {
      it(`an application gets no SQLITE_BUSY with ${title}, journal mode ${mode}`, async () => {
        here = await startInstance(database, { clock: new TestClock() });
        const { dataSource } = here;
        await dataSource.query(`PRAGMA journal_mode = ${mode}`);
        // A blocked caller gets its error at once, and does not freeze the event loop for five
        // seconds.
        await dataSource.query('PRAGMA busy_timeout = 0');
        await dataSource.query('CREATE TABLE stock (id INTEGER PRIMARY KEY, amount INTEGER)');
        await dataSource.query(
          `INSERT INTO stock VALUES ${Array.from({ length: 9 }, (_, id) => `(${id + 1}, 0)`).join()}`,
        );
        const logouts = { areDone: false };
        const errors: string[] = [];
        const rounds = (async () => {
          for (let round = 0; round < ROUNDS || !logouts.areDone; round++) {
            await work(dataSource, round).catch((error: unknown) => errors.push(String(error)));
          }
        })();
        for (let index = 0; index < LOGOUTS / 3; index++) {
          await Promise.all(
            Array.from({ length: 3 }, (_, n) => here.logout.logoutSession(`s-${index}-${n}`)),
          );
          if (index % 5 === 0) await follow(here);
        }
        logouts.areDone = true;
        await rounds;
        expect(errors).toEqual([]);
        await follow(here);
        expect(here.cursor.position).toBe(LOGOUTS);
      });
    }
  }

  it('an application gets no SQLITE_BUSY with a DataSource that is initialised after ours', async () => {
    const { DataSource: Class } = await import('typeorm');
    const late = new Class(database.options);
    here = await startInstance(database, { clock: new TestClock(), options: { dataSource: late } });
    await late.initialize();
    await late.query('PRAGMA journal_mode = WAL');
    await late.query('PRAGMA busy_timeout = 0');
    await late.query('CREATE TABLE stock (id INTEGER PRIMARY KEY, amount INTEGER)');
    await late.query('INSERT INTO stock VALUES (1, 0)');
    let logout: Promise<unknown> | undefined;
    await late.transaction(async (manager) => {
      await read(manager);
      logout = here.logout.logoutSession('one');
      await setTimeout(20);
      await manager.query(UPDATE, [1]);
    });
    await logout;
    expect(await late.query('SELECT amount FROM stock')).toEqual([{ amount: 1 }]);
    await late.destroy();
  });
});
