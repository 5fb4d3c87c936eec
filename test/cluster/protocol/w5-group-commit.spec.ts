import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { AppendAtOnce } from '../../support/internals.js';
import { follow, readEvents } from '../../support/log-tables.js';

const CONCURRENT = 64;

describe('W5: concurrent logouts share one transaction', () => {
  describeOn(databaseKinds, 'a group commit', (kind) => {
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

    it('64 concurrent logouts are written in at most two transactions, and each gets its own answer', async () => {
      const tokens = await Promise.all(
        Array.from({ length: CONCURRENT }, (_, n) => here.login(`subject ${n}`)),
      );
      const spared = await here.login('nobody');
      const { database: log } = await here.open();
      const transaction = jest.spyOn(log, 'transaction');
      const one = log.transactionOf === undefined ? undefined : jest.spyOn(log, 'transactionOf');

      const receipts = await Promise.all(tokens.map((token) => here.logout.logout(token)));

      const transactions = transaction.mock.calls.length + (one?.mock.calls.length ?? 0);
      expect(transactions).toBeGreaterThan(0);
      expect(transactions).toBeLessThanOrEqual(2);
      const written = await readEvents(here.dataSource);
      const answered = receipts.map(({ events: [event] }) => [event?.position, event?.id]);
      expect(new Set(answered.map(([position]) => position)).size).toBe(CONCURRENT);
      expect(answered.toSorted(([a], [b]) => Number(a) - Number(b))).toEqual(
        written.map(({ position, id }) => [position, id]),
      );
      await follow(there);
      for (const instance of [here, there]) {
        const verdicts = await Promise.all(tokens.map((token) => instance.judge(token)));
        expect(new Set(verdicts)).toEqual(new Set(['session_ended']));
        expect(await instance.judge(spared)).toBe('active');
      }
    });

    it('a group commit that fails fails for all of its callers, and the next one is written separately', async () => {
      const { transactions } = await here.open();
      jest.spyOn(AppendAtOnce.prototype, 'run').mockResolvedValue(undefined);
      const append = jest.spyOn(transactions, 'append').mockImplementationOnce(function* () {
        yield { sql: 'SELECT nothing_of_that_name', values: [] };
        throw new Error('unreachable');
      });
      const outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, (_, n) => here.logout.logoutSession(`session ${n}`)),
      );
      expect(outcomes.map(({ status }) => status)).toEqual(Array(8).fill('rejected'));
      expect(append).toHaveBeenCalledTimes(1);
      expect(await readEvents(here.dataSource)).toHaveLength(0);
      const receipt = await here.logout.logoutSession('session 8');
      expect(receipt.events).toMatchObject([{ position: 1 }]);
    });
  });
});
