import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { AuthClock } from 'nestjs-logout';
import { describeOn, postgres } from '../../support/databases.js';
import type { Instance } from '../../support/instance.js';
import { clockOf, followAgain, NEVER_WAIT } from '../../support/controlled-instance.js';
import { eventually } from '../../support/eventually.js';
import {
  countLockWaits,
  follow,
  holdHead,
  loseCommit,
  readEvents,
  reconnect,
} from '../../support/log-tables.js';
import { POLL } from '../../support/tcp-proxy.js';
import { Cluster } from './cluster.js';

/** The bound where time is real (ms). */
const BOUND = 1_000;

/** For an instance to follow at all, on a machine that is busy with other tests (ms). */
const PATIENCE = 20_000;

describeOn([postgres], 'failures of the network', () => {
  let cluster: Cluster;

  beforeEach(async () => {
    cluster = await Cluster.start();
  });

  afterEach(() => cluster?.close());

  /**
   * Asks as often as it can until the token is refused; returns when it was last asked and
   * accepted.
   */
  async function lastAccepted(instance: Instance, token: string): Promise<number> {
    const start = performance.now();
    let last = 0;
    for (;;) {
      const asked = performance.now();
      const code = await instance.judge(token);
      if (code === 'session_ended') return last;
      if (code === 'active') last = asked;
      if (asked > start + PATIENCE) throw new Error(`It is ${code} still.`);
      await setTimeout(1);
    }
  }

  it('E2: no push notification, half-open connection, killed backend: the polls alone keep the bound', async () => {
    const real = { clock: new AuthClock(), options: { maxStaleness: '1s' } } as const;
    const { instance: far, network } = await cluster.networked(real);
    const near = await cluster.instance();

    const half = await near.login('alice');
    await network.next(POLL, 'freeze'); // one connection; no other instance is notified
    await near.logout.logout(half);
    let resolved = performance.now();
    expect(await lastAccepted(far, half)).toBeLessThan(resolved + BOUND);

    const killed = await near.login('bob');
    await eventually(() => !far.feed.failing);
    await near.dataSource.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity ' +
        "WHERE datname = current_database() AND query LIKE '%UNION ALL%' AND pid <> pg_backend_pid()",
    );
    await near.logout.logout(killed);
    resolved = performance.now();
    expect(await lastAccepted(far, killed)).toBeLessThan(resolved + BOUND);
  });

  it('E3: poll hangs: it is given up, and the lease lapses into a 503 at once; a known logout stays 401', async () => {
    const options = { maxStaleness: '1s', staleWait: '10s' } as const;
    const { instance, network } = await cluster.networked({ options });
    const [good, ended] = [await instance.login('alice'), await instance.login('bob')];
    await instance.logout.logout(ended);
    network.freeze();
    clockOf(instance).advance(300); // its next poll; the limit on that is real time
    await eventually(() => instance.feed.failing);
    expect(String(instance.feed.failure)).toContain('did not answer the poll within 500 ms');
    expect(await instance.judge(good)).toBe('active'); // the lease
    clockOf(instance).advance(1_000);
    // The clock does not move: a request that waited here would wait for ever.
    expect(await instance.judge(good)).toBe('revocation_state_unknown');
    expect(await instance.judge(ended)).toBe('session_ended');
    network.thaw();
    await followAgain(instance);
    expect(await instance.judge(good)).toBe('active');
  });

  it('E16: commit outcome unknown: 503 and refused here, and a retry elsewhere settles it', async () => {
    const { instance: near, network } = await cluster.networked();
    const far = await cluster.instance();
    const [token, other] = [await near.login('alice'), await near.login('alice')];
    const lost = loseCommit(network, 'swallow answer');
    await expect(near.logout.logout(token)).rejects.toMatchObject({
      status: 503,
      code: 'storage_unavailable',
    });
    await lost;
    expect(await near.judge(token)).toBe('revocation_state_unknown');
    expect(await near.judge(other)).toBe('active');
    await far.logout.logout(token);
    await reconnect(network, near);
    await near.log.drain();
    for (const instance of [near, far]) {
      expect(await instance.judge(token)).toBe('session_ended');
      expect(await instance.judge(other)).toBe('active');
    }
    const keys = (await readEvents(far.dataSource)).map(({ key }) => key);
    expect(new Set(keys).size).toBe(1);
  });

  it('E23: long transaction of the application around a logout: no other logout waits for it', async () => {
    const instance = await cluster.instance();
    const [inside, outside] = [await instance.login('alice'), await instance.login('bob')];
    await instance.dataSource.transaction(async (manager) => {
      await instance.logout.logoutAll('alice', { manager });
      await instance.logout.logout(outside);
      expect(await instance.judge(outside)).toBe('session_ended');
      expect(await instance.judge(await instance.login('carol'))).toBe('active');
      expect(await instance.judge(inside)).toBe('active');
    });
    await follow(instance);
    expect(await instance.judge(inside)).toBe('session_ended');
  });

  it('E23: another transaction holds the head: a logout is 503 after its time limit, never a success', async () => {
    const instance = await cluster.instance({ options: NEVER_WAIT });
    const stranger = await cluster.instance();
    const token = await instance.login('alice');
    const letGo = await holdHead(stranger.dataSource);
    const logout = instance.logout.logout(token);
    await eventually(async () => (await countLockWaits(stranger.dataSource)) === 1);
    const now = performance.now.bind(performance);
    jest.spyOn(performance, 'now').mockImplementation(() => now() + 60_000);
    await expect(logout).rejects.toMatchObject({ status: 503, code: 'storage_unavailable' });
    expect(await instance.judge(token)).toBe('active');
    await letGo();
    await instance.logout.logout(token);
    expect(await instance.judge(token)).toBe('session_ended');
  });
});
