import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { follow, readEvents } from '../../support/log-tables.js';
import {
  clockOf,
  endSessions,
  ISSUER,
  letTimePass,
  listenForErrors,
} from '../../support/controlled-instance.js';

const MINUTE = 60_000;

describe('X1: a row goes only with its successor old enough, so the last one stays', () => {
  describeOn(databaseKinds, 'on a quiet system', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let there: Instance;
    let clocks: TestClock[];

    beforeEach(async () => {
      database = await kind.migrated();
      here = await startInstance(database, { clock: new TestClock() });
      there = await startInstance(database, { clock: new TestClock() });
      clocks = [clockOf(here), clockOf(there)];
    });

    afterEach(async () => {
      await here?.close();
      await there?.close();
      await database?.drop();
      jest.restoreAllMocks();
    });

    const pass = (milliseconds: number): void =>
      clocks.forEach((clock) => letTimePass(clock, milliseconds));
    const positions = async (): Promise<number[]> =>
      (await readEvents(here.dataSource)).map(({ position }) => position);

    it('the last row outlives its token, and no cursor sees a fork', async () => {
      await endSessions(here, 5);
      await follow(there);
      pass(24 * 60 * MINUTE);
      expect(await here.purge.purge()).toBe(4);
      expect(await positions()).toEqual([5]);
      const errors = listenForErrors();
      const load = jest.spyOn((await there.open()).database, 'read');
      for (const instance of [here, there]) await follow(instance);
      expect(load).not.toHaveBeenCalled(); // it did not even have to load again
      expect(errors()).toEqual([]);
      expect(await here.purge.purge()).toBe(0);
    });

    it('a row stays while its successor is younger than ten minutes', async () => {
      await endSessions(here, 3);
      pass(24 * 60 * MINUTE);
      await endSessions(here, 1);
      expect(await here.purge.purge()).toBe(2);
      expect(await positions()).toEqual([3, 4]);
      pass(24 * 60 * MINUTE + 10 * MINUTE + 1);
      expect(await here.purge.purge()).toBe(1);
      expect(await positions()).toEqual([4]);
    });

    it('a row that has expired stays while it is younger than ten minutes itself', async () => {
      const expiresAt = clockOf(here).wall() / 1000;
      await here.log.append([
        { kind: 'token', issuer: ISSUER, jti: 'old', expiresAt },
        { kind: 'token', issuer: ISSUER, jti: 'older', expiresAt },
      ]);
      pass(9 * MINUTE);
      expect(await here.purge.purge()).toBe(0);
      pass(10 * MINUTE + 1);
      expect(await here.purge.purge()).toBe(1);
    });

    it('the row of a revoked key stays for ever', async () => {
      await here.logout.revokeKey('leaked');
      await endSessions(here, 2);
      pass(10 * 365 * 24 * 60 * MINUTE);
      expect(await here.purge.purge()).toBe(1);
      expect(await positions()).toEqual([1, 2, 4]); // a key has two events below format 2
    });
  });
});
