import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, postgres, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { rounds } from '../../support/rounds.js';

const HOUR = 3_600_000;
/** On PostgreSQL; the others have the same statements and get a fifth. */
const ROUNDS = rounds(100, 200);
/** 1,000 rounds in parts: each has the time of a test. */
const PARTS = Array.from({ length: rounds(1, 5) }, (_, part) => part + 1);
/** No row younger than this is purged. */
const PURGE_AGE = 11 * 60_000;

/** Longer than a host's clock is ahead: such a host sees tokens expire that much too early. */
const options = { accessTokenTtl: '2h' } as const;

describeOn(databaseKinds, 'logged out everywhere and in again within one moment', (kind) => {
  const start = Date.now();
  const count = kind === postgres ? ROUNDS : ROUNDS / 5;
  let database: TestDatabase;
  let running: Instance[] = [];

  beforeEach(async () => {
    database = await kind.migrated();
  });

  afterEach(async () => {
    await Promise.all(running.map((each) => each.close()));
    running = [];
    await database?.drop();
  });

  /** A host whose wall clock is off; the database's time stays at `at`. */
  async function host(skew: number, at = start): Promise<{ instance: Instance; clock: TestClock }> {
    const clock = new TestClock(at);
    clock.skewWall(skew);
    const instance = await startInstance(database, { clock, options });
    running.push(instance);
    return { instance, clock };
  }

  const title = `${count} times: the old token is refused and the new one is accepted, on slow hosts and fast (%i)`;
  it.each(PARTS)(title, async () => {
    const slow = await host(-HOUR);
    const fast = await host(HOUR);
    const old: string[] = [];
    for (let round = 0; round < 20; round++) {
      const token = await slow.instance.login('bob');
      await fast.instance.logout.logout(token);
      old.push(token);
    }
    const wrong: string[] = [];
    let latest = '';
    for (let round = 0; round < count; round++) {
      const [here, there] = round % 2 === 0 ? [slow, fast] : [fast, slow];
      const before = latest || (await there.instance.login());
      await here.instance.logout.logoutAll('alice');
      latest = await there.instance.login();
      old.push(before);
      // The position of the new token shows each host that there are new events.
      const verdicts = [
        await here.instance.judge(latest),
        await there.instance.judge(latest),
        await here.instance.judge(before),
        await there.instance.judge(before),
      ].join(' ');
      if (verdicts !== 'active active session_ended session_ended') {
        wrong.push(`round ${round}: ${verdicts}`);
      }
    }
    expect(wrong).toEqual([]);

    // By the fast host's clock, now a day ahead, every row has expired; by the database's none has.
    for (const { clock } of [slow, fast]) clock.advance(PURGE_AGE);
    fast.clock.skewWall(24 * HOUR);
    expect(await fast.instance.purge.purge()).toBe(0);
    await fast.instance.purge.stop(); // The one that its timer began has ended too.
    await slow.instance.close();
    running = running.filter((each) => each !== slow.instance);
    const restarted = await host(-HOUR, start + PURGE_AGE);
    const verdicts = await Promise.all(old.map(restarted.instance.judge));
    expect(verdicts.filter((verdict) => verdict !== 'session_ended')).toEqual([]);
    expect(await restarted.instance.judge(latest)).toBe('active');
  });
});
