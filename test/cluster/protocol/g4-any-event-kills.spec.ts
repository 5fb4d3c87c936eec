import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { follow } from '../../support/log-tables.js';

describe('G4: a token is revoked if any live event of its subject kills it', () => {
  describeOn(databaseKinds, 'two exceptions', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let there: Instance;
    let follower: Instance;
    let subject: string;
    let phone: string;
    let laptop: string;

    beforeAll(async () => {
      database = await kind.migrated();
      here = await startInstance(database, { clock: new TestClock() });
      there = await startInstance(database, { clock: new TestClock() });
      follower = await startInstance(database, { clock: new TestClock() });
    });

    beforeEach(async () => {
      subject = randomUUID();
      phone = await here.login(subject);
      laptop = await here.login(subject);
    });

    afterAll(async () => {
      for (const instance of [here, there, follower]) await instance?.close();
      await database?.drop();
    });

    /** On every instance, and on one that reads all of it from the database alone. */
    const expectOf = async (token: string, verdict: string): Promise<void> => {
      const cold = await startInstance(database, { clock: new TestClock() });
      for (const instance of [here, there, follower, cold]) {
        await follow(instance);
        expect(await instance.judge(token)).toBe(verdict);
      }
      await cold.close();
    };

    for (const first of ['phone', 'laptop'] as const) {
      it(`two exceptions end both sessions when the ${first} is first and the other has not arrived yet`, async () => {
        const [one, two] = first === 'phone' ? [phone, laptop] : [laptop, phone];
        await here.logout.logoutOthers(one);
        // `there` has not polled since: for it the other session is still valid.
        await there.logout.logoutOthers(two);
        const newer = await here.login(subject);
        await expectOf(phone, 'session_ended');
        await expectOf(laptop, 'session_ended');
        await expectOf(newer, 'active');
      });
    }

    it('two exceptions end both sessions when they are applied one by one, the spared one in between', async () => {
      await here.logout.logoutOthers(phone);
      await follow(follower);
      expect(await follower.judge(phone)).toBe('active');
      expect(await follower.judge(laptop)).toBe('session_ended');
      await there.logout.logoutOthers(laptop);
      await expectOf(phone, 'session_ended');
      await expectOf(laptop, 'session_ended');
    });

    it('two equal exceptions spare their session, and end what came between', async () => {
      await here.logout.logoutOthers(phone);
      const between = await here.login(subject);
      await there.logout.logoutOthers(phone);
      await expectOf(phone, 'active');
      await expectOf(between, 'session_ended');
      await expectOf(laptop, 'session_ended');
    });

    it('two exceptions spare no session when an event without an exception is before or behind them', async () => {
      await here.logout.logoutAll(subject);
      await there.logout.logoutOthers(phone);
      await expectOf(phone, 'session_ended');
      const tablet = await here.login(subject);
      await here.logout.logoutOthers(tablet);
      await here.logout.logoutAll(subject);
      await expectOf(tablet, 'session_ended');
    });
  });
});
