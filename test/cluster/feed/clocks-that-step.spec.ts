import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { AuthEvents } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { follow, readEvents } from '../../support/log-tables.js';
import { clockOf, endSessions, listenForErrors } from '../../support/controlled-instance.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A monotonic clock that leaps, as some hosts show after they were suspended. */
class LeapingClock extends TestClock {
  leap = 0;

  override monotonic(): number {
    return super.monotonic() + this.leap;
  }
}

describeOn(databaseKinds, 'clocks that step', (kind) => {
  let database: TestDatabase;
  let instances: Instance[];
  let errors: () => string[];
  let clock: LeapingClock;

  beforeEach(async () => {
    database = await kind.migrated();
    instances = [];
    errors = listenForErrors();
    clock = new LeapingClock();
  });

  afterEach(async () => {
    for (const instance of instances) await instance.close();
    await database.drop();
    jest.restoreAllMocks();
  });

  /** Every instance has its own clock; the database’s is the same for all of them. */
  const start = async (skew: { wall?: number; database?: number } = {}): Promise<Instance> => {
    const own = instances.length === 0 ? clock : new LeapingClock(clock.wall());
    own.skewWall(skew.wall ?? 0);
    own.skewDatabase(skew.database ?? 0);
    const instance = await startInstance(database, { clock: own });
    instances.push(instance);
    return instance;
  };

  const stepDatabase = async (ahead: number): Promise<void> => {
    for (const instance of instances) {
      clockOf(instance).skewDatabase(ahead);
      await follow(instance);
    }
  };

  const verdicts = (token: string): Promise<string[]> =>
    Promise.all(instances.map(({ judge }) => judge(token)));

  /** One logged out and one valid token, both so old that only their own time keeps them. */
  const loginTwice = async (): Promise<{ ended: string; good: string }> => {
    const [here] = instances as [Instance];
    const [ended, good] = [await here.login('alice'), await here.login('bob')];
    await here.logout.logout(ended);
    await endSessions(here, 3);
    clock.advance(11 * MINUTE);
    await endSessions(here, 1);
    await follow(here);
    return { ended, good };
  };

  it('a database clock that steps an hour ahead and back makes no running or booting instance forget an event', async () => {
    const here = await start();
    const told: unknown[] = [];
    here.app.get(AuthEvents).subscribe(({ type, reason }) => told.push([type, reason]));
    const { ended, good } = await loginTwice();
    const rows = (await readEvents(here.dataSource)).length;
    const entries = here.index.stats().entries;

    await stepDatabase(HOUR);
    expect(await here.purge.purge()).toBe(0);
    await follow(here);
    expect(await readEvents(here.dataSource)).toHaveLength(rows);
    expect(here.index.stats().entries).toBe(entries);
    expect(errors()).toEqual([expect.stringMatching(/3600 seconds behind .*the database’s\./)]);
    expect(told).toContainEqual(['clocks_differ', 'database']);
    expect(await verdicts(good)).toEqual(['token_expired']);

    await start({ database: HOUR });
    expect(errors()).toHaveLength(2);
    await stepDatabase(0);
    expect(await verdicts(good)).toEqual(['active', 'active']);
    expect(await verdicts(ended)).toEqual(['session_ended', 'session_ended']);
    await start();
    expect((await verdicts(ended)).at(-1)).toBe('session_ended');
  });

  it('a database clock that steps an hour behind and back loses no event: each is kept as long as its tokens', async () => {
    const here = await start();
    const token = await here.login('alice');
    await stepDatabase(-HOUR);
    await here.logout.logoutAll('alice');
    await endSessions(here, 1);
    await stepDatabase(0);
    clock.advance(12 * MINUTE);
    await endSessions(here, 1);
    await here.purge.purge();
    await start();
    await follow(here);
    expect(await verdicts(token)).toEqual(['session_ended', 'session_ended']);
  });

  it('a token that was signed while the database clock was ahead is refused until it expires', async () => {
    const here = await start();
    await stepDatabase(HOUR);
    const token = await here.login('alice');
    await stepDatabase(0);
    await here.logout.logoutAll('alice');
    await endSessions(here, 1);
    // The token's own time starts now; the event was written an hour ago.
    clock.advance(HOUR);
    await endSessions(here, 1);
    await here.purge.purge();
    await start();
    await follow(here);
    expect(await verdicts(token)).toEqual(['session_ended', 'session_ended']);
  });

  it('a host two hours ahead reports it, logins work, and it refuses tokens that others accept', async () => {
    await start();
    const ahead = await start({ wall: 2 * HOUR });
    expect(errors()).toEqual([
      expect.stringMatching(/this host is 7200 seconds ahead of the database\..*refuses tokens/),
    ]);
    const token = await ahead.login('alice');
    await follow(instances[0] as Instance);
    expect(await verdicts(token)).toEqual(['active', 'token_expired']);
    expect(await ahead.purge.purge()).toBe(0);
  });

  it('a host clock that steps an hour ahead and back is named in the alarm, and no event is forgotten', async () => {
    const here = await start();
    const { ended, good } = await loginTwice();
    clock.skewWall(HOUR);
    await follow(here);
    expect(errors()).toEqual([expect.stringMatching(/clock that stepped is this host’s/)]);
    expect(await here.judge(good)).toBe('token_expired');
    clock.skewWall(0);
    await follow(here);
    expect(await verdicts(good)).toEqual(['active']);
    expect(await verdicts(ended)).toEqual(['session_ended']);
  });

  it('a host an hour behind accepts tokens by the database’s time, and forgets no event', async () => {
    await start();
    const behind = await start({ wall: -HOUR });
    const token = await behind.login('alice');
    await follow(instances[0] as Instance);
    expect(await verdicts(token)).toEqual(['active', 'active']);
    expect(await behind.purge.purge()).toBe(0);
  });

  it('both clocks of one machine step an hour ahead and back, and no event is forgotten', async () => {
    const here = await start();
    const { ended, good } = await loginTwice();
    clock.skewWall(HOUR);
    await stepDatabase(HOUR);
    expect(await here.purge.purge()).toBe(0);
    clock.skewWall(0);
    await stepDatabase(0);
    expect(await verdicts(good)).toEqual(['active']);
    expect(await verdicts(ended)).toEqual(['session_ended']);
  });

  it('a machine that was suspended forgets expired events again once the longest token lifetime has passed', async () => {
    const here = await start();
    await endSessions(here, 3);
    await follow(here);
    clock.skewWall(HOUR);
    await stepDatabase(HOUR);
    expect(here.index.stats().entries).toBe(3);
    clock.advance(16 * MINUTE);
    await follow(here);
    expect(here.index.stats().entries).toBe(0);
  });

  it('after the monotonic clock leaps at the end of a suspend, the next poll corrects the time', async () => {
    const here = await start();
    const { ended, good } = await loginTwice();
    clock.leap = HOUR;
    await follow(here);
    expect(await verdicts(good)).toEqual(['active']);
    expect(await verdicts(ended)).toEqual(['session_ended']);
    expect(errors()).toEqual([]);
  });
});
