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
import { TestClock } from '../../../lib/testing/test-clock.js';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { claimsIn, follow } from './support.js';

describe('G5: a gen beyond the instance’s own position', () => {
  describeOn(databaseKinds, 'a token', (kind) => {
    let database: TestDatabase;
    let ahead: Instance;
    let behind: Instance;

    beforeAll(async () => {
      database = await kind.create();
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

    it('of a login that this instance has not heard of is decided after one poll', async () => {
      await ahead.logout.logoutSession('of somebody');
      const token = await ahead.login('alice');
      expect(claimsIn(token).gen).toBe(behind.feed.position + 1);
      const polls = await countPolls();
      expect(await behind.judge(token)).toBe('active');
      expect(polls()).toBe(1);
      expect(await behind.judge(token)).toBe('active');
      expect(polls()).toBe(1);
    });

    it('that was ended since is refused at once, though the lease has not lapsed', async () => {
      await ahead.logout.logoutSession('of somebody');
      const token = await ahead.login('alice');
      await ahead.logout.logout(token);
      expect(behind.feed.isFresh()).toBe(true);
      expect(await behind.judge(token)).toBe('session_ended');
    });

    it('that is not beyond it costs no poll', async () => {
      const token = await ahead.login('alice');
      const polls = await countPolls();
      expect(await behind.judge(token)).toBe('active');
      expect(polls()).toBe(0);
    });

    it('beyond the head gets 503, and the instance goes on deciding about the others', async () => {
      const now = Math.floor(behind.clock.wall());
      const lost = await ahead.sessions.login(
        { subject: 'alice' },
        { since: { position: 1_000, now } },
      );
      const good = await ahead.login('bob');
      const token = lost?.accessToken ?? '';
      expect(await behind.judge(token)).toBe('revocation_state_unknown');
      await follow(behind);
      expect(await behind.judge(token)).toBe('revocation_state_unknown');
      expect(await behind.judge(good)).toBe('active');
    });

    it('beyond the head is refused like any other once an event names it', async () => {
      const since = { position: 1_000, now: behind.clock.wall() };
      const lost = await ahead.sessions.login({ subject: 'alice' }, { since });
      await ahead.logout.logoutSession(lost.sessionId);
      expect(await behind.judge(lost.accessToken)).toBe('session_ended');
    });
  });
});
