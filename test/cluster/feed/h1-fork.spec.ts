import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { deferred } from '../../support/eventually.js';
import { follow, headPosition, loseAllAfter } from '../../support/log-tables.js';
import {
  clockOf,
  endSessions,
  knows,
  listenForErrors,
  NEVER_WAIT,
} from '../../support/controlled-instance.js';

describe('H1: a log that lost known events closes the instance, is loaded again, and is merged', () => {
  describeOn(databaseKinds, 'a fail-over', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let there: Instance;
    let errors: () => string[];

    beforeEach(async () => {
      database = await kind.migrated();
      here = await startInstance(database, { clock: new TestClock(), options: NEVER_WAIT });
      there = await startInstance(database, { clock: new TestClock() });
      errors = listenForErrors();
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      await here?.close();
      await there?.close();
      await database?.drop();
    });

    it('after a fail-over that lost commits, known revocations are still refused, and the number of lost commits is reported', async () => {
      const tokens = [
        await here.login('alice'),
        await here.login('alice'),
        await here.login('bob'),
      ];
      const [first = '', second = ''] = tokens;
      await there.logout.logout(first);
      await there.logout.logout(second);
      await there.logout.logoutAll('bob');
      await follow(here);
      await loseAllAfter(there, 1);
      await follow(here);
      for (const token of tokens) expect(await here.judge(token)).toBe('session_ended');
      expect(errors()).toEqual([expect.stringMatching(/head is at 1.*\b2 known live events/)]);
    });

    it('after a fail-over that lost commits, the instance follows from the new head on', async () => {
      await endSessions(there, 4);
      await follow(here);
      await loseAllAfter(there, 2);
      await follow(here);
      const { position } = here.cursor;
      expect(position).toBe(await headPosition(there.dataSource));
      const [later = ''] = await endSessions(here, 1);
      await follow(here);
      expect(knows(here, later)).toBe(true);
      expect(here.cursor.position).toBe(position + 1);
      expect(errors()).toHaveLength(1);
    });

    it('a fail-over is noticed even if the head has grown past the cursor since', async () => {
      const [lost = ''] = (await endSessions(there, 3)).slice(2);
      await follow(here);
      await loseAllAfter(there, 2);
      // Only another instance, started since, has written: positions are handed out again.
      const young = await startInstance(database, { clock: new TestClock() });
      const later = await endSessions(young, 4);
      await follow(here);
      expect(later.every((sid) => knows(here, sid))).toBe(true);
      expect(knows(here, lost)).toBe(true);
      expect(errors()).toEqual([
        expect.stringMatching(/another event is at position 3.*\b1 known live events/),
      ]);
      // Positions were handed out twice, so the log continues beyond both histories (H3).
      expect(await headPosition(there.dataSource)).toBeGreaterThan(1_600_000_000_000_000);
      await young.close();
    });

    it('a fail-over that lost nothing is no fork', async () => {
      await endSessions(there, 3);
      await follow(here);
      const sids = await endSessions(there, 2);
      await follow(here);
      expect(sids.every((sid) => knows(here, sid))).toBe(true);
      expect(errors()).toEqual([]);
    });

    it('a fork closes the instance until it has loaded again, although its lease had not lapsed', async () => {
      const token = await here.login('alice');
      await endSessions(there, 3);
      await follow(here);
      await loseAllAfter(there, 1);
      const { database: log } = await here.open();
      const isLoading = deferred();
      const mayGoOn = deferred();
      const read = log.read.bind(log);
      jest.spyOn(log, 'read').mockImplementation(async (statement) => {
        isLoading.resolve();
        await mayGoOn.promise;
        return read(statement);
      });
      const followed = follow(here);
      await isLoading.promise;
      expect(clockOf(here).monotonic()).toBe(0);
      expect(await here.judge(token)).toBe('revocation_state_unknown');
      mayGoOn.resolve();
      await followed;
      expect(await here.judge(token)).toBe('active');
    });

    it('a fail-over to another log proves nothing, and the instance stays closed (P3)', async () => {
      await endSessions(there, 1);
      await follow(here);
      await there.dataSource.query(`UPDATE auth_log SET log_id = 'another'`);
      await expect(follow(here)).rejects.toThrow('The log could not be followed');
      expect(here.feed.failure).toMatchObject({ name: 'AnotherLog' });
    });
  });
});
