import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { LOAD_PAGE, ServerLogDatabase, SqliteLogDatabase } from '../../support/internals.js';
import { deferred } from '../../support/eventually.js';
import { follow, headPosition, readEvents } from '../../support/log-tables.js';
import {
  clockOf,
  endSessions,
  knows,
  letTimePass,
  listenForErrors,
} from '../../support/controlled-instance.js';

const DAY = 86_400_000;

describe('X2: the purge deletes range by range, and records each in the deleting transaction', () => {
  describeOn(databaseKinds, 'a purge', (kind) => {
    const Log = kind.name === 'SQLite' ? SqliteLogDatabase : ServerLogDatabase;
    let database: TestDatabase;
    let here: Instance;
    let there: Instance;

    beforeEach(async () => {
      database = await kind.migrated();
      here = await startInstance(database, { clock: new TestClock() });
      there = await startInstance(database, { clock: new TestClock() });
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      await here?.close();
      await there?.close();
      await database?.drop();
    });

    const letADayPass = (): void =>
      [here, there].forEach((instance) => letTimePass(clockOf(instance), DAY));
    const purgedThrough = async (): Promise<number> => {
      const [row] = (await here.dataSource.query('SELECT purged_through FROM auth_head')) as {
        purged_through: string | number;
      }[];
      return Number(row?.purged_through);
    };

    it('a purge takes several transactions, and each one records how far it came', async () => {
      await endSessions(here, 1_201);
      letADayPass();
      const { database: log, statements } = await here.open();
      const deletions = jest.spyOn(statements, 'deleteEvents');
      const committed: [rows: number, purgedThrough: number][] = [];
      const transaction = log.transaction.bind(log);
      jest.spyOn(log, 'transaction').mockImplementation(async (body) => {
        const result = await transaction(body);
        const rows = await readEvents(here.dataSource);
        committed.push([rows[0]?.position ?? 0, await purgedThrough()]);
        return result;
      });
      expect(await here.purge.purge()).toBe(1_200);
      expect(deletions).toHaveBeenCalledTimes(3);
      for (const [first, through] of committed) expect(through).toBe(first - 1);
      expect(await headPosition(here.dataSource)).toBe(1_201);
    });

    it('a purge during a cold load leaves a complete index, and causes no fork', async () => {
      const errors = listenForErrors();
      await endSessions(here, 600);
      letADayPass();
      const live = await endSessions(here, LOAD_PAGE + 100);
      const isAtFirstPage = deferred();
      const mayGoOn = deferred();
      const read = Log.prototype.read;
      let pages = 0;
      jest.spyOn(Log.prototype, 'read').mockImplementation(async function (
        this: ServerLogDatabase & SqliteLogDatabase,
        ...given
      ) {
        const answer = await read.apply(this, given);
        if (given[0].values.at(-1) === LOAD_PAGE && pages++ === 0) {
          isAtFirstPage.resolve();
          await mayGoOn.promise;
        }
        return answer;
      });
      const clock = new TestClock();
      letTimePass(clock, DAY);
      const starting = startInstance(database, { clock });
      await isAtFirstPage.promise;
      expect(await here.purge.purge()).toBe(599);
      mayGoOn.resolve();
      const cold = await starting;
      await follow(cold);
      expect(live.filter((sid) => !knows(cold, sid))).toEqual([]);
      expect(cold.cursor.position).toBe(LOAD_PAGE + 700);
      expect(errors()).toEqual([]);
      await cold.close();
    });

    it('only one instance purges at a time', async () => {
      await endSessions(here, 3);
      letADayPass();
      const { database: log } = await here.open();
      const transaction = log.transaction.bind(log);
      let other: number | undefined;
      jest.spyOn(log, 'transaction').mockImplementation(async (body) => {
        const result = await transaction(body);
        // After its claim, before its first row.
        if (result === true) other = await there.purge.purge();
        return result;
      });
      expect(await here.purge.purge()).toBe(2);
      expect(other).toBe(0);
      await endSessions(here, 1);
      [here, there].forEach((instance) => letTimePass(clockOf(instance), 2 * DAY));
      expect(await there.purge.purge()).toBe(1); // the claim was given back
    });

    it('another instance takes over a purge when its holder died', async () => {
      await endSessions(here, 3);
      letADayPass();
      const now = clockOf(here).database();
      await here.dataSource.query(
        `UPDATE auth_head SET purge_claimed_until = ${now + 30_000} WHERE id = 1`,
      );
      expect(await there.purge.purge()).toBe(0);
      letTimePass(clockOf(there), DAY + 30_001);
      expect(await there.purge.purge()).toBe(2);
    });

    it('a purge beside logouts on another instance makes none of them fail', async () => {
      await endSessions(here, 1_500);
      letADayPass();
      const errors = listenForErrors();
      const logouts = Promise.all(
        Array.from({ length: 40 }, (_, index) => there.logout.logoutSession(`s-${index}`)),
      );
      expect(await here.purge.purge()).toBeGreaterThanOrEqual(1_499);
      expect(await logouts).toHaveLength(40);
      for (const instance of [here, there]) await follow(instance);
      expect(here.cursor.position).toBe(1_540);
      expect(errors()).toEqual([]);
    });
  });
});
