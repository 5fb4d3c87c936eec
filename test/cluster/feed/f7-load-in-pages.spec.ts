import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { setImmediate } from 'node:timers/promises';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { deferred } from '../../support/eventually.js';
import { type Instance, startInstance } from '../../support/instance.js';
import {
  EventKeys,
  LOAD_PAGE,
  loadLog,
  type OpenLog,
  RevocationIndex,
  type ServerLogDatabase,
  type StatementResult,
} from '../../support/internals.js';
import { endSessions, ISSUER, knows, listenForErrors } from '../../support/controlled-instance.js';
import { follow } from '../../support/log-tables.js';

describe('F7: the pages of a cold load', () => {
  describeOn(databaseKinds, 'a log of more than one page', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let log: OpenLog;
    let sids: string[];
    let clock: TestClock;

    beforeEach(async () => {
      database = await kind.migrated();
      here = await startInstance(database, { clock: new TestClock() });
      sids = await endSessions(here, LOAD_PAGE + 1);
      log = await here.open();
      clock = new TestClock();
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      await here?.close();
      await database?.drop();
    });

    /** Runs `before` before each page is read, with the number of the page from 1. */
    const beforePages = (before: (page: number) => unknown): void => {
      jest.restoreAllMocks();
      const read = log.database.read.bind(log.database);
      let page = 0;
      jest.spyOn(log.database, 'read').mockImplementation(async (...given) => {
        const isPage = given[0].values.at(-1) === LOAD_PAGE;
        if (isPage) await before(++page);
        return (await read(...given)) as StatementResult;
      });
    };
    const load = (index = new RevocationIndex(new EventKeys(ISSUER))) =>
      loadLog(log, index, clock, { forgettingTime: (now) => now });

    it('a load of several pages ends at the head that it read first, and polls bring later events', async () => {
      const index = new RevocationIndex(new EventKeys(ISSUER));
      let later: string[] = [];
      beforePages(async (page) => {
        if (page === 2) later = await endSessions(here, 3);
      });
      const { head, count } = await load(index);
      expect(later).toHaveLength(3);
      expect(count).toBe(index.stats().entries);
      expect(count).toBe(LOAD_PAGE + 1);
      expect(head.position).toBe(here.cursor.position - 3);
      jest.restoreAllMocks();
      const other = await startInstance(database, { clock: new TestClock() });
      try {
        await follow(other);
        expect([...sids, ...later].filter((sid) => !knows(other, sid))).toEqual([]);
      } finally {
        await other.close();
      }
    });

    it('the load fails if one event in the middle of a page is not understood', async () => {
      const position = here.cursor.position - LOAD_PAGE / 2;
      const isAsked = deferred();
      const mayGoOn = deferred();
      beforePages(async (page) => {
        if (page === 1) return;
        isAsked.resolve();
        await mayGoOn.promise;
      });
      await here.dataSource.query(
        `UPDATE auth_event SET kind = 'constellation' WHERE position = ${position}`,
      );
      let hasEnded = false;
      const loading = load().finally(() => (hasEnded = true));
      loading.catch(() => undefined);
      await isAsked.promise;
      for (let turn = 0; turn < 20; turn++) await setImmediate();
      // The page that was asked for is waited for: nothing of a failed load is left on the connection.
      expect(hasEnded).toBe(false);
      mayGoOn.resolve();
      await expect(loading).rejects.toThrow('unknown kind constellation');
    });

    it('an instance answers 503 while its load fails, and becomes fresh once the load succeeds', async () => {
      listenForErrors();
      const token = await here.login('alice');
      await here.dataSource.query(
        `UPDATE auth_event SET kind = 'constellation' WHERE position = 7`,
      );
      const isAsked = deferred();
      const Log = log.database.constructor as typeof ServerLogDatabase;
      const { read } = Log.prototype;
      jest.spyOn(Log.prototype, 'read').mockImplementation(function (
        this: ServerLogDatabase,
        ...given
      ) {
        if (given[0].values.at(-1) === LOAD_PAGE) isAsked.resolve();
        return read.apply(this, given);
      });
      const starting = startInstance(database, { clock });
      await isAsked.promise;
      clock.advance(10_000); // bootTimeout
      const other = await starting;
      try {
        expect(other.revocation.status()).toMatchObject({ ready: false, fresh: false });
        expect(await other.judge(token)).toBe('revocation_state_unknown');
        await here.dataSource.query(`UPDATE auth_event SET kind = 'session' WHERE position = 7`);
        await follow(other);
        expect(await other.judge(token)).toBe('active');
        expect(sids.filter((sid) => !knows(other, sid))).toEqual([]);
      } finally {
        await other.close();
      }
    });

    it('a load reports its progress only if it takes longer than five seconds', async () => {
      beforePages(() => clock.advance(2_499));
      const log = jest.spyOn(Logger.prototype, 'log').mockReturnValue();
      await load();
      expect(log).not.toHaveBeenCalled();
      beforePages((page) => page === 1 && clock.advance(5_000));
      const long = jest.spyOn(Logger.prototype, 'log').mockReturnValue();
      await load();
      expect(long.mock.calls.flat()).toEqual([
        `The revocation log is being loaded: ${LOAD_PAGE} events in 5 s.`,
        `The revocation log is loaded: ${LOAD_PAGE + 1} events in 5 s.`,
      ]);
    });
  });
});
