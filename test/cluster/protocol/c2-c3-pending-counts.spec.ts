import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { letTimePass } from '../../support/controlled-instance.js';
import {
  claimsIn,
  countPending,
  follow,
  headPosition,
  readEvents,
} from '../../support/log-tables.js';
import { refuseToNumber } from '../../support/unnumberable.js';

const MINUTE = 60_000;
const LIFE = 15 * MINUTE;

describe('an event that waits for its number', () => {
  describeOn(databaseKinds, 'a pending event', (kind) => {
    let database: TestDatabase;
    let clock: TestClock;
    let here: Instance;
    let there: Instance;

    beforeEach(async () => {
      jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
      database = await kind.migrated();
      clock = new TestClock();
      here = await startInstance(database, { clock });
      there = await startInstance(database, { clock });
      // An event of another writer, so that positions are not all 0.
      await here.logout.logoutSession('of somebody');
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      await here?.close();
      await there?.close();
      await database?.drop();
    });

    const logoutAllInTransaction = (subject: string): Promise<unknown> =>
      here.dataSource.transaction((manager) => here.logout.logoutAll(subject, { manager }));

    it('C2: a pending event takes effect on every instance with its next poll, before it is numbered', async () => {
      await refuseToNumber(here.dataSource);
      const [alice, bob] = [await here.login('alice'), await here.login('bob')];
      await logoutAllInTransaction('alice');
      for (const instance of [here, there]) {
        await follow(instance);
        expect(await instance.judge(alice)).toBe('session_ended');
        expect(await instance.judge(bob)).toBe('active');
      }
      expect(await countPending(here.dataSource)).toBe(1);
      expect(await headPosition(here.dataSource)).toBe(1);
    });

    it('C2: an event spares the login that numbered it, also where the event was seen pending', async () => {
      const mayBeNumbered = await refuseToNumber(here.dataSource);
      const before = await here.login('alice');
      await logoutAllInTransaction('alice');
      await follow(there);
      expect(await there.judge(before)).toBe('session_ended');
      await there.log.drain();
      await mayBeNumbered();

      const after = await here.login('alice');
      expect(claimsIn(after).gen).toBe(2);
      expect(await readEvents(here.dataSource)).toMatchObject([
        { position: 1 },
        { position: 2, kind: 'subject', killsBelow: 2 },
      ]);
      for (const instance of [here, there]) {
        await follow(instance);
        expect(await instance.judge(after)).toBe('active');
        expect(await instance.judge(before)).toBe('session_ended');
      }
    });

    it('C3: a pending event stays in effect for as long as no instance can number it', async () => {
      await refuseToNumber(here.dataSource);
      await logoutAllInTransaction('alice');
      for (let passed = 0; passed <= 4 * LIFE; passed += LIFE) {
        clock.skewDatabase(passed);
        const token = await here.login('alice');
        expect(claimsIn(token).gen).toBe(1); // below the position that the event will have
        for (const instance of [here, there]) {
          await follow(instance);
          expect(await instance.judge(token)).toBe('session_ended');
        }
      }
    });

    it('C3: an event of a transaction that was open longer than a token lifetime is kept from its numbering on', async () => {
      const runner = here.dataSource.createQueryRunner();
      await runner.startTransaction();
      await here.logout.logoutAll('alice', { manager: runner.manager });
      letTimePass(clock, 2 * LIFE);
      const since = await here.sessions.position();
      await runner.commitTransaction();
      await runner.release();
      // After the commit, for it stores a session, and SQLite has one writer at a time.
      const young = (await here.sessions.login({ subject: 'alice' }, { since })).accessToken;
      await follow(there);
      await there.log.drain();
      expect(await there.judge(young)).toBe('session_ended');

      const [, event] = await readEvents(here.dataSource);
      expect(event).toMatchObject({ kind: 'subject', until: clock.database() + LIFE + 2 * MINUTE });
      expect(event?.issuedBefore).toBeGreaterThanOrEqual(clock.database());
      // The last moment of that token, after a purge, on an instance that knows only the database.
      await here.logout.logoutSession('of somebody else');
      letTimePass(clock, 3 * LIFE + 4_000);
      await here.purge.purge();
      const cold = await startInstance(database, { clock });
      expect(await cold.judge(young)).toBe('session_ended');
      await cold.close();
    });
  });
});
