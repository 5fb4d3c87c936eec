import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import type { DataSourceOptions } from 'typeorm';
import { describeOn, serverKinds, sqlite, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { eventually } from '../../support/eventually.js';
import { follow } from '../../support/log-tables.js';
import { clockOf, controlPolls } from '../../support/controlled-instance.js';

describe('F1: one autocommit statement on the primary', () => {
  describeOn(serverKinds, 'a poll', (kind) => {
    let database: TestDatabase;
    let clock: TestClock;
    const opened: { close(): Promise<unknown> }[] = [];

    beforeEach(async () => {
      // One for all instances: on a slow machine they start seconds apart.
      clock = new TestClock();
      database = await kind.migrated();
    });

    afterEach(async () => {
      for (const each of opened.splice(0).toReversed()) await each.close();
      await database?.drop();
    });

    const start = async (
      on: TestDatabase,
      settings: Parameters<typeof startInstance>[1] = {},
    ): Promise<Instance> => {
      const instance = await startInstance(on, { clock, ...settings });
      opened.push(instance);
      return instance;
    };

    it('a poll is one statement outside any transaction', async () => {
      const { proxy, through } = await TcpProxy.before(database);
      opened.push(proxy);
      const instance = await start(through);
      await follow(instance); // its connection is open and prepared
      const sent: string[] = [];
      proxy.watch((bytes) => {
        sent.push(bytes);
        return 'pass';
      });
      await follow(instance);
      const everything = sent.join('');
      expect(everything.match(/log_id|nestjs_logout_poll/g)).toHaveLength(1);
      expect(everything).not.toMatch(/BEGIN|START TRANSACTION|COMMIT(?!TED)|autocommit/i);
    });

    /** The application's `replication`: the log on the primary, and a slave that stopped long ago. */
    const replications = {
      'a stale slave': (primary: string, stale: string) => ({
        replication: { master: { url: primary }, slaves: [{ url: stale }] },
      }),
      'a stale slave that is the url, too': (primary: string, stale: string) => ({
        url: stale,
        replication: { master: { url: primary }, slaves: [{ url: stale }] },
      }),
      'credentials of a stale server beside it': (primary: string, stale: string) => ({
        database: new URL(stale).pathname.slice(1),
        replication: { master: { url: primary }, slaves: [{ url: stale }] },
      }),
    };
    for (const [title, optionsOf] of Object.entries(replications)) {
      it(`a poll goes to replication.master with ${title}`, async () => {
        const slave = await kind.migrated();
        try {
          // It has our tables, from the time when it was still a replica.
          await (await startInstance(slave, { clock: new TestClock() })).close();
          const urlOf = (options: DataSourceOptions): string =>
            (options as { url?: string }).url ?? '';
          const options = {
            type: database.options.type,
            ...optionsOf(urlOf(database.options), urlOf(slave.options)),
          } as DataSourceOptions;
          const there = await start(database);
          const here = await start({ ...database, options });
          const token = await here.login('alice');
          await there.logout.logoutAll('alice');
          await follow(here);
          expect(await here.judge(token)).toBe('session_ended');
          expect(await here.judge(await here.login('alice'))).toBe('active');
          const own = await here.login('bob');
          await here.logout.logout(own);
          await follow(there);
          expect(await there.judge(own)).toBe('session_ended');
        } finally {
          for (const each of opened.splice(0).toReversed()) await each.close();
          await slave.drop();
        }
      });
    }
  });

  describe('the timing of polls', () => {
    let database: TestDatabase;
    let instance: Instance;

    beforeEach(async () => {
      database = await sqlite.migrated();
      instance = await startInstance(database, { clock: new TestClock() });
    });

    afterEach(async () => {
      await instance?.close();
      await database?.drop();
      jest.restoreAllMocks();
    });

    it('each instance polls within a quarter of maxStaleness, with jitter', async () => {
      const polls = await controlPolls(instance);
      clockOf(instance).advance(999); // just before the earliest moment
      expect(polls.count).toBe(0);
      const plan = jest.spyOn(instance.clock, 'schedule');
      for (let round = 1; round <= 8; round++) {
        clockOf(instance).advance(1_250);
        await polls.answered(round);
        await eventually(() => plan.mock.calls.length >= round);
      }
      expect(polls.count).toBe(8);
      const delays = plan.mock.calls.map(([delay]) => delay);
      expect(Math.min(...delays)).toBeGreaterThanOrEqual(1_000);
      expect(Math.max(...delays)).toBeLessThanOrEqual(1_250);
      expect(new Set(delays).size).toBeGreaterThan(1);
    });

    it('a push notification after a quiet time causes a poll at once', async () => {
      const polls = await controlPolls(instance);
      instance.feed.request();
      await polls.answered(1);
      expect(polls.count).toBe(1);
    });

    it('one poll is in flight, and one more follows for all push notifications that arrived meanwhile', async () => {
      const polls = await controlPolls(instance);
      polls.hold();
      instance.feed.request();
      await polls.answered(1);
      for (let hint = 0; hint < 10; hint++) instance.feed.request();
      expect(polls.count).toBe(1);
      polls.release();
      await polls.answered(2);
      await follow(instance);
      // The strict one that follow() asked for is the third, unless it still joined the second.
      expect(polls.count).toBeLessThanOrEqual(3);
    });
  });
});
