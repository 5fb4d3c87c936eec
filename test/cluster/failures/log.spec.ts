import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, postgres } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { AppendAtOnce, LOAD_PAGE, ServerLogDatabase } from '../../support/internals.js';
import { COMMIT } from '../../support/tcp-proxy.js';
import {
  clockOf,
  endSessions,
  followAgain,
  knows,
  listenForErrors,
  NEVER_WAIT,
  letTimePass,
} from '../../support/controlled-instance.js';
import { deferred, eventually } from '../../support/eventually.js';
import { claimsIn, countLockWaits, follow, readEvents } from '../../support/log-tables.js';
import { Cluster } from './cluster.js';

const DAY = 86_400_000;

describeOn([postgres], 'failures of the log and its readers', () => {
  let cluster: Cluster;

  beforeEach(async () => {
    cluster = await Cluster.start();
  });

  afterEach(() => cluster?.close());

  const judgeAll = (instance: Instance, tokens: readonly string[]): Promise<string[]> =>
    Promise.all(tokens.map((token) => instance.judge(token)));

  it('E1: two logouts commit out of order: the later one waits, and no reader loses either', async () => {
    const { instance: slow, network } = await cluster.networked();
    const [quick, reader] = [await cluster.instance(), await cluster.instance()];
    const tokens = [await reader.login('alice'), await reader.login('bob')] as const;

    // In several statements, so that it has its position before its commit.
    jest.spyOn(AppendAtOnce.prototype, 'run').mockResolvedValueOnce(undefined);
    const frozen = network.next(COMMIT, 'freeze');
    const first = slow.logout.logout(tokens[0]);
    await frozen;
    const second = quick.logout.logout(tokens[1]);
    await eventually(async () => (await countLockWaits(reader.dataSource)) === 1);
    await follow(reader);
    expect(await judgeAll(reader, tokens)).toEqual(['active', 'active']);

    network.thaw();
    await Promise.all([first, second]);
    await follow(reader);
    expect(await judgeAll(reader, tokens)).toEqual(['session_ended', 'session_ended']);
    const order = (await readEvents(reader.dataSource)).map(({ id }) => id);
    expect(order).toEqual([(await first).events[0]?.id, (await second).events[0]?.id]);
  });

  it('E6: cold start, half-loaded index: 503 for every token until the last page and a poll', async () => {
    const old = await cluster.instance();
    const [good, ended] = [await old.login('alice'), await old.login('bob')];
    await endSessions(old, LOAD_PAGE);
    await old.logout.logout(ended); // on the second page

    const { network, through } = await cluster.network();
    let pages = 0;
    const isHeld = deferred();
    network.watch((bytes) => {
      if (!/position > \$1 AND e\.position <= \$2/.test(bytes) || ++pages < 2) return 'pass';
      isHeld.resolve();
      return 'freeze';
    });
    const clock = new TestClock();
    const booting = startInstance(through, { clock, options: NEVER_WAIT });
    await isHeld.promise;
    clock.advance(10_000); // bootTimeout: it starts, and its guards answer 503
    const young = cluster.keep(await booting);
    expect(young.index.stats().entries).toBe(LOAD_PAGE); // half of it is there
    expect(young.revocation.status()).toMatchObject({ ready: false });
    expect(await judgeAll(young, [good, ended])).toEqual([
      'revocation_state_unknown',
      'revocation_state_unknown',
    ]);

    network.watch(() => 'pass');
    network.thaw();
    await follow(young);
    expect(await judgeAll(young, [good, ended])).toEqual(['active', 'session_ended']);
  });

  it('E17: purge races with a cold start: rows it was reading are gone, so it loads again and misses nothing', async () => {
    const clock = new TestClock();
    const old = await cluster.instance({ clock });
    const errors = listenForErrors();
    await endSessions(old, LOAD_PAGE + 1);
    const mayGoOn = deferred();
    const isHeld = deferred();
    const read = ServerLogDatabase.prototype.read;
    let pages = 0;
    jest.spyOn(ServerLogDatabase.prototype, 'read').mockImplementation(async function (
      this: ServerLogDatabase,
      statement,
    ) {
      if (statement.values.at(-1) === LOAD_PAGE && ++pages === 2) {
        isHeld.resolve();
        await mayGoOn.promise;
      }
      return read.call(this, statement);
    });
    const booting = cluster.instance({ clock });
    await isHeld.promise;
    letTimePass(clock, DAY);
    const live = await endSessions(old, 3);
    await old.dataSource.query('UPDATE auth_event SET created_at = 1');
    expect(await old.purge.purge()).toBeGreaterThan(LOAD_PAGE);
    mayGoOn.resolve();
    const young = await booting;
    expect(live.filter((sid) => !knows(young, sid))).toEqual([]);
    expect(young.revocation.status()).toMatchObject({ ready: true, position: LOAD_PAGE + 4 });
    expect(errors()).toEqual([]);
  });

  it('E18: clock tolerance vs purge: refused until the last second in which it could be accepted', async () => {
    const options = { accessTokenTtl: '15m', clockTolerance: '60s' } as const;
    const old = await cluster.instance({ options });
    const [good, ended] = [await old.login('alice'), await old.login('bob')];
    await old.logout.logout(ended);
    const { exp } = claimsIn(ended);
    const clock = clockOf(old);
    clock.advance(exp * 1000 - clock.wall() + 59_000);
    await follow(old);
    await old.purge.purge();
    const young = await cluster.instance({ options, clock });
    for (const instance of [old, young]) {
      expect(await judgeAll(instance, [good, ended])).toEqual(['active', 'session_ended']);
    }
    clock.advance(2_000);
    for (const instance of [old, young]) {
      expect(await judgeAll(instance, [good, ended])).toEqual(['token_expired', 'token_expired']);
    }
  });

  it('E19: rolling deploy: an event of an unknown kind closes the older release, which skips nothing', async () => {
    const old = await cluster.instance({ options: NEVER_WAIT });
    const token = await old.login('alice');
    const future = await cluster.instance();
    const [sid = ''] = await endSessions(future, 1);
    await future.dataSource.query(`UPDATE auth_event SET kind = 'constellation'`);
    const warnings = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    expect(await old.feed.strictProof()).toBe(false);
    expect(await old.judge(token)).toBe('revocation_state_unknown');
    expect(warnings.mock.calls.join()).toMatch(/newer release.*"constellation"/);
    // The release that knows it reads it from where it stood.
    await future.dataSource.query(`UPDATE auth_event SET kind = 'session'`);
    await followAgain(old);
    expect(knows(old, sid)).toBe(true);
    expect(await old.judge(await old.login('alice'))).toBe('active');
  });

  it('E24: two applications with different issuers on one table: the same ids, each ends its own', async () => {
    const [one, other] = [
      await cluster.instance(),
      await cluster.instance({ options: { issuer: 'https://other.test' } }),
    ];
    const claims = claimsIn(await one.login('alice'));
    const theirs = { ...claims, iss: 'https://other.test' };
    const isActive = (instance: Instance, given: object): Promise<boolean> =>
      instance.revocation.assertActive(given).then(
        () => true,
        () => false,
      );
    await one.logout.logout(claims);
    await follow(other);
    expect([await isActive(one, claims), await isActive(other, theirs)]).toEqual([false, true]);
    await one.logout.logoutAll('alice');
    await follow(other);
    expect(await isActive(other, theirs)).toBe(true);
    await other.logout.logoutAll('alice');
    expect(await isActive(other, theirs)).toBe(false);
  });
});
