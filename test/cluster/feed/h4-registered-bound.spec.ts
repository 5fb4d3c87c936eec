import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { follow, readEvents } from '../../support/log-tables.js';
import { clockOf } from '../../support/controlled-instance.js';

describe('H4: each instance raises the bound and the token lifetime before it serves', () => {
  describeOn(databaseKinds, 'a second instance with wider options', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let wide: Instance;

    beforeEach(async () => {
      database = await kind.migrated();
      here = await startInstance(database, {
        clock: new TestClock(),
        options: { maxStaleness: 5, accessTokenTtl: '5m' },
      });
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      await here?.close();
      await wide?.close();
      await database?.drop();
    });

    const startWide = async (): Promise<void> => {
      wide = await startInstance(database, {
        clock: new TestClock(clockOf(here).wall()),
        options: { maxStaleness: 30, accessTokenTtl: '1h' },
      });
    };
    const registered = async (): Promise<Record<string, unknown>> => {
      const [row] = (await here.dataSource.query(
        'SELECT max_staleness, max_token_life, max_staleness_by FROM auth_head',
      )) as Record<string, unknown>[];
      return {
        staleness: Number(row?.['max_staleness']),
        life: Number(row?.['max_token_life']),
        by: row?.['max_staleness_by'],
      };
    };

    it('a second instance with wider options raises the bound in the receipts of the first, and how long its events are kept', async () => {
      const before = await here.logout.logoutSession('one');
      expect(before.effectiveEverywhereWithin).toBe(5);
      await startWide();
      const after = await here.logout.logoutSession('two');
      expect(after.effectiveEverywhereWithin).toBe(30);
      const now = clockOf(here).database();
      expect(Number(before.keptUntil) - now).toBe(300_000 + 120_000);
      expect(Number(after.keptUntil) - now).toBe(3_600_000 + 120_000);
      const events = await readEvents(here.dataSource);
      expect(events.map(({ until }) => until)).toEqual([
        Number(before.keptUntil),
        Number(after.keptUntil),
      ]);
    });

    it('wait: everywhere waits for the wider bound of a second instance', async () => {
      await startWide();
      const schedule = jest.spyOn(here.clock, 'schedule');
      const waiting = here.logout.logoutSession('one', { wait: 'everywhere' });
      while (!schedule.mock.calls.some(([delay]) => delay >= 30_000)) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      clockOf(here).advance(31_000);
      expect((await waiting).effectiveEverywhereWithin).toBe(30);
    });

    it('the bound names the instance that raised it, and a narrower instance that starts later does not lower it', async () => {
      await startWide();
      const narrow = await startInstance(database, {
        clock: new TestClock(),
        options: { maxStaleness: 1 },
      });
      expect(await registered()).toEqual({
        staleness: 30_000,
        life: 3_600_000,
        by: expect.stringMatching(new RegExp(`:${process.pid}$`)),
      });
      await narrow.close();
    });

    it('the next poll registers again what a fail-over lost, and no proof counts before that', async () => {
      await startWide();
      await here.dataSource.query(
        'UPDATE auth_head SET max_staleness = 5000, max_token_life = 300000',
      );
      const polls = jest.spyOn((await wide.open()).database, 'poll');
      await follow(wide);
      expect(await registered()).toMatchObject({ staleness: 30_000, life: 3_600_000 });
      expect(polls).toHaveBeenCalledTimes(2); // the first answer proved nothing
      expect((await here.logout.logoutSession('x')).effectiveEverywhereWithin).toBe(30);
    });

    it('an instance does not serve while it cannot register', async () => {
      await startWide();
      const token = await wide.login('alice');
      await here.dataSource.query('UPDATE auth_head SET max_staleness = 5000');
      const { database: log } = await wide.open();
      jest.spyOn(log, 'transaction').mockRejectedValue(new Error('The database is read-only.'));
      const judged = wide.tokens.verify(token, { freshness: 'strict' });
      await expect(judged).rejects.toMatchObject({ code: 'revocation_state_unknown' });
      expect(wide.feed.failing).toBe(true);
    });
  });
});
