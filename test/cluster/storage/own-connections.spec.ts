import { afterEach, describe, expect, it } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { types } from 'pg';
import type { DataSourceOptions, QueryRunner } from 'typeorm';
import { describeOn, postgres, serverKinds, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { follow } from '../../support/log-tables.js';

const INT8 = 20;

describe('the connections of the log are its own', () => {
  let database: TestDatabase | undefined;
  // One for all instances: on a slow machine they start seconds apart.
  const clock = new TestClock();
  const opened: Instance[] = [];

  afterEach(async () => {
    for (const instance of opened.splice(0)) await instance.close();
    await database?.drop();
  });

  const start = async (options: object = {}): Promise<Instance> => {
    if (database === undefined) throw new Error('There is no database.');
    const given = { ...database.options, ...options } as DataSourceOptions;
    const instance = await startInstance({ ...database, options: given }, { clock });
    opened.push(instance);
    return instance;
  };
  /** Logs in, out and follows, from both sides. */
  const expectToWork = async (here: Instance): Promise<void> => {
    const there = await start();
    const [one, two] = [await here.login('alice'), await here.login('bob')];
    await there.logout.logout(one);
    await here.logout.logoutAll('bob');
    for (const instance of [here, there]) {
      await follow(instance);
      expect(await instance.judge(one)).toBe('session_ended');
      expect(await instance.judge(two)).toBe('session_ended');
      expect(await instance.judge(await instance.login('bob'))).toBe('active');
    }
  };

  describeOn(serverKinds, 'an application', (kind) => {
    it('an application whose pool is exhausted blocks neither feed nor logout', async () => {
      database = await kind.migrated();
      const here = await start({ poolSize: 2, extra: kind === postgres ? { max: 2 } : {} });
      const runners: QueryRunner[] = [];
      for (let index = 0; index < 2; index++) {
        const runner = here.dataSource.createQueryRunner();
        await runner.startTransaction();
        await runner.query('SELECT 1');
        runners.push(runner);
      }
      const starved = here.dataSource.query('SELECT 1');
      await expectToWork(here);
      for (const runner of runners) {
        await runner.rollbackTransaction();
        await runner.release();
      }
      await starved;
    });

    it('a transaction of the application that rolls back does not undo a logout', async () => {
      database = await kind.migrated();
      const here = await start();
      const token = await here.login('alice');
      const rolledBack = here.dataSource.transaction(async () => {
        await here.logout.logout(token);
        throw new Error('The order failed.');
      });
      await expect(rolledBack).rejects.toThrow('The order failed.');
      const there = await start();
      expect(await there.judge(token)).toBe('session_ended');
    });
  });

  describeOn([postgres], 'type parsers for the whole process', () => {
    it('type parsers for the whole process change no row of ours', async () => {
      const before = types.getTypeParser(INT8, 'text');
      types.setTypeParser(INT8, (text) => BigInt(text));
      try {
        database = await postgres.create();
        const here = await start();
        expect(await here.dataSource.query('SELECT position FROM auth_head')).toEqual([
          { position: 0n },
        ]);
        await expectToWork(here);
      } finally {
        types.setTypeParser(INT8, before);
      }
    });
  });
});
