import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { LOAD_PAGE, ServerLogDatabase, SqliteLogDatabase } from '../../support/internals.js';
import { deferred } from '../../support/eventually.js';
import { follow } from '../../support/log-tables.js';
import { clockOf, endSessions, ISSUER, knows } from '../../support/controlled-instance.js';

describe('F7: a cold load reads pages, and the instance is closed until its first proof (P4)', () => {
  describeOn(databaseKinds, 'an instance that starts', (kind) => {
    const Log = kind.name === 'SQLite' ? SqliteLogDatabase : ServerLogDatabase;
    let database: TestDatabase;
    let there: Instance;
    let here: Instance | undefined;

    beforeEach(async () => {
      database = await kind.migrated();
      there = await startInstance(database, { clock: new TestClock() });
    });

    afterEach(async () => {
      jest.restoreAllMocks();
      await here?.close();
      here = undefined;
      await there?.close();
      await database?.drop();
    });

    it('a cold load reads more than one page completely', async () => {
      // Two on the second page: the first poll brings the last event once more.
      const sids = await endSessions(there, LOAD_PAGE + 2);
      const read = jest.spyOn(Log.prototype, 'read');
      here = await startInstance(database, { clock: new TestClock() });
      const pages = read.mock.calls.filter(([{ values }]) => values.at(-1) === LOAD_PAGE);
      expect(pages).toHaveLength(2);
      expect(here.cursor.position).toBe(sids.length);
      expect(sids.filter((sid) => !knows(here as Instance, sid))).toEqual([]);
    });

    it('a cold load reads unexpired events, and polls continue from the head that it read first', async () => {
      const clock = clockOf(there);
      await there.log.append([
        { kind: 'token', issuer: ISSUER, jti: 'short', expiresAt: clock.wall() / 1000 },
        { kind: 'token', issuer: ISSUER, jti: 'long', expiresAt: clock.wall() / 1000 + 7_200 },
      ]);
      clock.advance(3_600_000);
      here = await startInstance(database, { clock: new TestClock(clock.wall()) });
      expect(here.index.stats().byKind.token).toBe(1);
      expect(here.index.find({ iss: ISSUER, jti: 'long' })).toBeDefined();
      expect(here.cursor.position).toBe(2);
      const [sid] = await endSessions(there, 1);
      await follow(here);
      expect(knows(here, sid ?? '')).toBe(true);
    });

    it('an instance that starts answers 503 until the first poll after the load is answered', async () => {
      const token = await there.login('alice');
      const isAsked = deferred();
      const mayGoOn = deferred();
      const poll = Log.prototype.poll;
      jest.spyOn(Log.prototype, 'poll').mockImplementationOnce(async function (
        this: ServerLogDatabase & SqliteLogDatabase,
        ...given
      ) {
        isAsked.resolve();
        await mayGoOn.promise;
        return poll.apply(this, given);
      });
      const clock = new TestClock();
      const starting = startInstance(database, { clock });
      await isAsked.promise;
      clock.advance(10_000); // bootTimeout: it starts, and its guards answer 503
      here = await starting;
      const judged = here.judge(token);
      clock.advance(250);
      expect(await judged).toBe('revocation_state_unknown');
      expect(here.revocation.status()).toMatchObject({ fresh: false, staleness: null });
      mayGoOn.resolve();
      await follow(here);
      expect(await here.judge(token)).toBe('active');
    });

    it('an instance that starts is not ready before the load is complete', async () => {
      await there.logout.logout(await there.login('alice'));
      const mayGoOn = deferred();
      const isAsked = deferred();
      const read = Log.prototype.read;
      const spy = jest.spyOn(Log.prototype, 'read');
      spy.mockImplementation(async function (
        this: ServerLogDatabase & SqliteLogDatabase,
        ...given
      ) {
        if (given[0].values.at(-1) === LOAD_PAGE) {
          isAsked.resolve();
          await mayGoOn.promise;
        }
        return read.apply(this, given);
      });
      const clock = new TestClock();
      const starting = startInstance(database, { clock });
      await isAsked.promise;
      clock.advance(10_000);
      here = await starting;
      expect(here.revocation.status()).toMatchObject({ ready: false, position: 0, entries: 0 });
      mayGoOn.resolve();
      await follow(here);
      expect(here.revocation.status()).toMatchObject({ ready: true, position: 1, entries: 1 });
    });
  });
});
