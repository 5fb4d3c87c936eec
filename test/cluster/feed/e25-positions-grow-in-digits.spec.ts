import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { integerOf } from '../../support/internals.js';
import { claimsIn, follow, readEvents } from '../../support/log-tables.js';
import { endSessions, knows, listenForErrors } from '../../support/controlled-instance.js';

describe('E25: positions are numbers, whatever the number of their digits', () => {
  describeOn(databaseKinds, 'a log', (kind) => {
    let database: TestDatabase;
    const opened: Instance[] = [];

    beforeEach(async () => {
      database = await kind.migrated();
    });

    afterEach(async () => {
      for (const instance of opened.splice(0)) await instance.close();
      await database?.drop();
      jest.restoreAllMocks();
    });

    const start = async (): Promise<Instance> => {
      const instance = await startInstance(database, { clock: new TestClock() });
      opened.push(instance);
      return instance;
    };
    /** A log whose earlier events are long gone. */
    const startAt = async (position: number): Promise<Instance> => {
      const instance = await startInstance(database, { clock: new TestClock() });
      await endSessions(instance, 1);
      await instance.dataSource.query(`UPDATE auth_event SET position = ${position}`);
      await instance.dataSource.query(
        `UPDATE auth_head SET position = ${position}, purged_through = ${position - 1}`,
      );
      await instance.close();
      return start();
    };

    const edges = [9, 99, 999, 2 ** 31 - 1, 2 ** 32 - 1, 2 ** 53 - 5];
    for (const edge of edges) {
      it(`the log continues past ${edge}`, async () => {
        const errors = listenForErrors();
        const there = await startAt(edge);
        const here = await start();
        const token = await there.login('alice');
        expect(claimsIn(token).gen).toBe(edge);
        await here.logout.logoutAll('alice');
        const survivor = await there.login('alice');
        const sids = await endSessions(there, 2);
        for (const instance of [here, there]) {
          await follow(instance);
          expect(instance.cursor.position).toBe(edge + 3);
          expect(sids.every((sid) => knows(instance, sid))).toBe(true);
          expect(await instance.judge(token)).toBe('session_ended');
          expect(await instance.judge(survivor)).toBe('active');
        }
        expect((await readEvents(here.dataSource)).map(({ position }) => position)).toEqual(
          [0, 1, 2, 3].map((more) => edge + more),
        );
        const cold = await start();
        expect(cold.cursor.position).toBe(edge + 3);
        expect(await cold.judge(token)).toBe('session_ended');
        expect(errors()).toEqual([]);
      });
    }
  });

  it('a position that JavaScript would round is refused', () => {
    expect(integerOf(String(Number.MAX_SAFE_INTEGER))).toBe(Number.MAX_SAFE_INTEGER);
    for (const text of ['9007199254740993', 'NaN', '1.5', null, undefined]) {
      expect(() => integerOf(text)).toThrow(RangeError);
    }
  });
});
