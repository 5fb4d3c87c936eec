import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import type { QueryRunner } from 'typeorm';
import { describeOn, serverKinds, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { follow, readEvents } from '../../support/log-tables.js';

describe('C1: { manager } writes a pending row and touches nothing else', () => {
  describeOn(serverKinds, 'a caller’s transaction', (kind) => {
    let database: TestDatabase;
    let clock: TestClock;
    let here: Instance;
    let there: Instance;
    let open: QueryRunner[];

    beforeEach(async () => {
      database = await kind.migrated();
      clock = new TestClock();
      here = await startInstance(database, { clock });
      there = await startInstance(database, { clock });
      await here.dataSource.query('CREATE TABLE account (name varchar(9) PRIMARY KEY, visits int)');
      await here.dataSource.query(`INSERT INTO account VALUES ('alice', 0), ('bob', 0)`);
      open = [];
    });

    afterEach(async () => {
      for (const runner of open) {
        if (runner.isTransactionActive) await runner.rollbackTransaction();
        await runner.release();
      }
      await here?.close();
      await there?.close();
      await database?.drop();
    });

    const begin = async (instance: Instance): Promise<QueryRunner> => {
      const runner = instance.dataSource.createQueryRunner();
      open.push(runner);
      await runner.startTransaction();
      return runner;
    };
    const visit = (runner: QueryRunner): Promise<unknown> =>
      runner.query(`UPDATE account SET visits = visits + 1 WHERE name = 'alice'`);

    it('a logout in the caller’s transaction holds no lock on the head', async () => {
      const { manager } = await begin(here);
      await here.logout.logoutAll('alice', { manager });
      const other = await begin(there);
      const head = other.query('SELECT position FROM auth_head WHERE id = 1 FOR UPDATE NOWAIT');
      await expect(head).resolves.toHaveLength(1);
    });

    it('a logout in the caller’s transaction does not deadlock with row locks in the opposite order', async () => {
      const [alice, bob] = [await here.login('alice'), await there.login('bob')];
      const [first, second] = [await begin(here), await begin(there)];
      await here.logout.logoutAll('alice', { manager: first.manager });
      await visit(second);
      const waiting = visit(first); // for the row that `second` has
      await there.logout.logoutAll('bob', { manager: second.manager }); // the head, were it locked
      await here.logout.logoutSession('of somebody who has no part in it');
      await second.commitTransaction();
      await waiting;
      await first.commitTransaction();

      expect(
        await here.dataSource.query(`SELECT visits FROM account WHERE name = 'alice'`),
      ).toEqual([{ visits: 2 }]);
      for (const instance of [here, there]) {
        await follow(instance);
        expect(await instance.judge(alice)).toBe('session_ended');
        expect(await instance.judge(bob)).toBe('session_ended');
      }
    });

    it('a transaction that is open for 30 s blocks no other logout or login', async () => {
      const token = await here.login('alice');
      const caller = await begin(here);
      await here.logout.logoutAll('alice', { manager: caller.manager });
      for (let seconds = 1; seconds <= 30; seconds++) {
        clock.advance(1_000);
        const instance = seconds % 2 === 0 ? here : there;
        const other = await instance.login('bob');
        const receipt = await instance.logout.logout(other);
        expect(receipt.events).toMatchObject([{ position: seconds }]);
        expect(await instance.judge(other)).toBe('session_ended');
        expect(await instance.judge(token)).toBe('active');
      }
      await caller.commitTransaction();
      for (const instance of [here, there]) {
        await follow(instance);
        expect(await instance.judge(token)).toBe('session_ended');
      }
      await here.log.drain();
      await there.log.drain();
      expect(await readEvents(here.dataSource)).toHaveLength(31);
    });
  });
});
