import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { sqlite, type TestDatabase } from '../../support/databases.js';
import { type Instance, type InstanceSettings, startInstance } from '../../support/instance.js';
import {
  clockOf,
  controlPolls,
  NEVER_WAIT,
  type PollControl,
} from '../../support/controlled-instance.js';

describe('F6: a request that finds the lease lapsed joins one shared poll, for at most staleWait', () => {
  let database: TestDatabase;
  let here: Instance;
  let there: Instance;
  let polls: PollControl;
  let token: string;

  beforeEach(async () => {
    database = await sqlite.migrated();
    there = await startInstance(database, { clock: new TestClock() });
  });

  afterEach(async () => {
    await here?.close();
    await there?.close();
    await database?.drop();
    jest.restoreAllMocks();
  });

  const start = async (options: InstanceSettings['options'] = {}): Promise<void> => {
    here = await startInstance(database, { clock: new TestClock(), options });
    token = await here.login('alice');
    polls = await controlPolls(here);
  };
  /** As a laptop that slept: no timer ran meanwhile. */
  const sleep = (): void => clockOf(here).skewWall(60_000);

  it('an instance that slept becomes fresh with one poll for a thousand requests', async () => {
    await start();
    sleep();
    const verdicts = await Promise.all(Array.from({ length: 1_000 }, () => here.judge(token)));
    expect(new Set(verdicts)).toEqual(new Set(['active']));
    expect(polls.count).toBe(1);
  });

  it('a request asks the index again after the wait', async () => {
    await start();
    await there.logout.logout(token);
    sleep();
    expect(await here.judge(token)).toBe('session_ended');
  });

  it('a request waits for another poll if the one in flight was sent too long ago', async () => {
    await start();
    polls.hold();
    here.feed.request();
    await polls.answered(1);
    clockOf(here).advance(4_901); // the answer in the socket will be too old
    const early = here.judge(token);
    polls.release();
    expect(await early).toBe('active');
    expect(polls.count).toBe(2);
  });

  it('a request gives up after staleWait', async () => {
    await start();
    sleep();
    polls.hold();
    let verdict: string | undefined;
    const judged = here.judge(token).then((given) => (verdict = given));
    await polls.answered(1);
    clockOf(here).advance(249);
    await Promise.resolve();
    expect(verdict).toBeUndefined();
    clockOf(here).advance(1);
    expect(await judged).toBe('revocation_state_unknown');
    polls.release();
  });

  it('a request never waits with staleWait: 0', async () => {
    await start(NEVER_WAIT);
    sleep();
    polls.hold();
    expect(await here.judge(token)).toBe('revocation_state_unknown');
    polls.release();
  });

  it('a request is answered at once while polls fail', async () => {
    await start();
    sleep();
    polls.fail();
    expect(await here.judge(token)).toBe('revocation_state_unknown'); // this one met the failure
    const asked = polls.count;
    const crowd = await Promise.all(Array.from({ length: 100 }, () => here.judge(token)));
    expect(new Set(crowd)).toEqual(new Set(['revocation_state_unknown']));
    expect(polls.count).toBe(asked); // the backoff decides when to ask again, not the crowd
  });

  it('all waiting requests are answered when the poll fails, without waiting for staleWait', async () => {
    await start();
    sleep();
    const { database: log } = await here.open();
    let refuse: (reason: Error) => void = () => undefined;
    jest.spyOn(log, 'poll').mockReturnValueOnce(
      new Promise((_, reject) => {
        refuse = reject;
      }),
    );
    const crowd = Array.from({ length: 10 }, () => here.judge(token));
    refuse(new Error('The connection broke.'));
    expect(new Set(await Promise.all(crowd))).toEqual(new Set(['revocation_state_unknown']));
  });

  describe('strict', () => {
    const judgeStrictly = async (): Promise<string> =>
      here.tokens.verify(token, { freshness: 'strict' }).then(
        () => 'active',
        (error: { code: string }) => error.code,
      );

    it('a strict request never joins a poll that was sent before the request arrived', async () => {
      await start();
      polls.hold();
      here.feed.request();
      await polls.answered(1); // this answer was made before the logout
      await there.logout.logout(token);
      clockOf(here).advance(1);
      const verdict = judgeStrictly();
      polls.release();
      expect(await verdict).toBe('session_ended');
      expect(polls.count).toBe(2);
    });

    it('a strict request sees what was committed before it arrived, even on a fresh instance', async () => {
      await start();
      await there.logout.logout(token);
      expect(await here.judge(token)).toBe('active'); // within the bound
      expect(await judgeStrictly()).toBe('session_ended');
    });

    it('strict requests that arrive during a poll share the next one', async () => {
      await start();
      polls.hold();
      here.feed.request();
      await polls.answered(1);
      clockOf(here).advance(1);
      const verdicts = Array.from({ length: 50 }, judgeStrictly);
      polls.release();
      expect(new Set(await Promise.all(verdicts))).toEqual(new Set(['active']));
      expect(polls.count).toBe(2);
    });

    it('a strict request gets 503 when the poll fails', async () => {
      await start();
      polls.fail();
      expect(await judgeStrictly()).toBe('revocation_state_unknown');
    });
  });
});
