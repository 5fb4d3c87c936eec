import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { deferred, eventually } from '../../support/eventually.js';
import { LogPositions } from '../../support/internals.js';
import { claimsIn, follow, headPosition } from '../../support/log-tables.js';

describe('G5: a gen beyond the instance’s own position', () => {
  describeOn(databaseKinds, 'a token', (kind) => {
    let database: TestDatabase;
    let ahead: Instance;
    let behind: Instance;

    beforeAll(async () => {
      database = await kind.migrated();
      ahead = await startInstance(database, { clock: new TestClock() });
      behind = await startInstance(database, { clock: new TestClock() });
    });

    beforeEach(async () => {
      await follow(ahead);
      await follow(behind);
    });

    afterEach(() => {
      jest.restoreAllMocks();
    });

    afterAll(async () => {
      await ahead?.close();
      await behind?.close();
      await database?.drop();
    });

    const countPolls = async (): Promise<() => number> => {
      const { database: log } = await behind.open();
      const poll = jest.spyOn(log, 'poll');
      return () => poll.mock.calls.length;
    };

    it('a token of a login that this instance has not seen is decided after one poll', async () => {
      await ahead.logout.logoutSession('of somebody');
      const token = await ahead.login('alice');
      expect(claimsIn(token).gen).toBe(behind.cursor.position + 1);
      const polls = await countPolls();
      expect(await behind.judge(token)).toBe('active');
      expect(polls()).toBe(1);
      expect(await behind.judge(token)).toBe('active');
      expect(polls()).toBe(1);
    });

    it('a token beyond the position that has been revoked is refused at once, although the lease has not lapsed', async () => {
      await ahead.logout.logoutSession('of somebody else');
      const token = await ahead.login('alice');
      await ahead.logout.logout(token);
      expect(behind.proofs.isFresh()).toBe(true);
      expect(await behind.judge(token)).toBe('session_ended');
    });

    it('a token that is not beyond the position costs no poll', async () => {
      const token = await ahead.login('alice');
      const polls = await countPolls();
      expect(await behind.judge(token)).toBe('active');
      expect(polls()).toBe(0);
    });

    it('a token beyond the head gets 503 and makes the log jump, so that later events revoke it', async () => {
      const since = { position: 1_000, now: Math.floor(behind.clock.wall()) };
      const { accessToken } = await ahead.sessions.login({ subject: 'alice' }, { since });
      const good = await ahead.login('bob');
      expect(await behind.judge(accessToken)).toBe('revocation_state_unknown');
      expect(await behind.judge(good)).toBe('active');
      await eventually(async () => (await headPosition(ahead.dataSource)) > 1_000);
      await follow(behind);
      expect(await behind.judge(accessToken)).toBe('active');
      await ahead.logout.logoutAll('alice');
      await follow(behind);
      expect(await behind.judge(accessToken)).toBe('session_ended');
    });

    it('a token that a jump has overtaken is never reported invalid by an answer from before the jump', async () => {
      const young = await startInstance(database, { clock: new TestClock() });
      const { database: log, history } = await young.open();
      const since = { position: history.seen + 1_000, now: behind.clock.wall() };
      const { accessToken } = await ahead.sessions.login({ subject: 'erin' }, { since });
      const held = deferred();
      const transaction = log.transaction.bind(log);
      jest.spyOn(log, 'transaction').mockImplementationOnce(async (body) => {
        await held.promise;
        return transaction(body);
      });
      expect(await young.judge(accessToken)).toBe('revocation_state_unknown');
      const poll = log.poll.bind(log);
      jest.spyOn(log, 'poll').mockImplementationOnce(async (...given) => {
        const answer = await poll(...given);
        held.resolve();
        await eventually(() => history.seen > since.position);
        return answer;
      });
      expect(await young.judge(accessToken)).toBe('revocation_state_unknown');
      expect(await young.judge(accessToken)).toBe('active');
      await young.close();
    });

    it('a token beyond every position of this log is invalid, and makes the log jump once', async () => {
      const young = await startInstance(database, { clock: new TestClock() });
      const now = Math.floor(behind.clock.wall());
      const strangers: string[] = [];
      for (const position of [Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER]) {
        const since = { position, now };
        strangers.push((await ahead.sessions.login({ subject: 'alice' }, { since })).accessToken);
      }
      expect(await young.judge(strangers[0] ?? '')).toBe('revocation_state_unknown');
      await eventually(async () => (await young.judge(strangers[0] ?? '')) === 'token_invalid');
      const position = await headPosition(ahead.dataSource);
      expect(await young.judge(strangers[1] ?? '')).toBe('token_invalid');
      expect(await headPosition(ahead.dataSource)).toBe(position);
      await young.close();
    });

    it('a token beyond the head is refused like any other once an event names it', async () => {
      const since = { position: 1_000, now: behind.clock.wall() };
      const lost = await ahead.sessions.login({ subject: 'alice' }, { since });
      await ahead.logout.logoutSession(lost.sessionId);
      expect(await behind.judge(lost.accessToken)).toBe('session_ended');
    });
  });

  describeOn(databaseKinds, 'two tokens from beyond the head', (kind) => {
    let database: TestDatabase;
    let here: Instance;
    let there: Instance;
    let positions: LogPositions;
    let head: number;

    beforeEach(async () => {
      database = await kind.migrated();
      here = await startInstance(database, { clock: new TestClock() });
      there = await startInstance(database, { clock: new TestClock() });
      await follow(here);
      positions = here.app.get(LogPositions);
      head = await headPosition(here.dataSource);
      await there.logout.logoutSession('of somebody'); // raises the head by one
    });

    afterEach(async () => {
      await here?.close();
      await there?.close();
      await database?.drop();
    });

    it('two tokens beyond the head cause one jump beyond the further one, in whatever order they come', async () => {
      expect(positions.hasJumpedFor(head + 50)).toBe(false);
      expect(positions.hasJumpedFor(head + 1)).toBe(false);
      await positions.drain();
      expect(await headPosition(here.dataSource)).toBeGreaterThan(head + 50);
    });

    it('two tokens beyond the head are decided one by one if another instance raised the head to the nearer one', async () => {
      positions.hasJumpedFor(head + 1);
      await positions.drain(); // There was nothing to do.
      expect(positions.hasJumpedFor(head + 50)).toBe(false); // It is not called invalid for an hour.
      await positions.drain();
      expect(await headPosition(here.dataSource)).toBeGreaterThan(head + 50);
    });
  });
});
