import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, postgres, serverKinds, type TestDatabase } from '../../support/databases.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { POOL_SIZE } from '../../support/internals.js';
import { POLL, TcpProxy } from '../../support/tcp-proxy.js';
import { follow, headPosition, loseAllAfter } from '../../support/log-tables.js';
import { clockOf, followAgain } from '../../support/controlled-instance.js';

/** So many callers wait for a connection of the pool, two seconds each. */
const FLOOD = 30;

describeOn(serverKinds, 'the connection of the feed', (kind) => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let instance: Instance;

  beforeEach(async () => {
    database = await kind.migrated();
    const { proxy: network, through } = await TcpProxy.before(database);
    proxy = network;
    instance = await startInstance(through, { clock: new TestClock() });
    await follow(instance);
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await instance?.close();
    await proxy?.close();
    await database?.drop();
  });

  it('the feed has a connection outside the pool: a poll gives a proof with the pool exhausted and that connection killed', async () => {
    const { database: log } = await instance.open();
    // As a flood of refresh tokens does: every connection of the pool is taken, and many wait for one.
    const sleep = { sql: `SELECT ${kind === postgres ? 'pg_sleep' : 'SLEEP'}(2)`, values: [] };
    const flooding = new AbortController();
    const flood = Array.from({ length: POOL_SIZE + FLOOD }, async () => {
      while (!flooding.signal.aborted) await log.read(sleep).catch(() => undefined);
    });
    await proxy.next(/SLEEP/i, 'pass');
    try {
      const cut = proxy.next(POLL, 'cut');
      const first = instance.feed.strictProof();
      await cut;
      // On a busy machine the first poll may exceed its time limit; the next one is due.
      if (!(await first)) await followAgain(instance);
      expect(instance.proofs.isFresh()).toBe(true);
    } finally {
      flooding.abort();
      await instance.close();
      await Promise.all(flood);
    }
  });

  it('reload, jump and registration use the feed’s connection and do not wait behind callers', async () => {
    const { database: log } = await instance.open();
    await instance.logout.logoutSession('lost');
    await follow(instance);
    const sleep = { sql: `SELECT ${kind === postgres ? 'pg_sleep' : 'SLEEP'}(2)`, values: [] };
    const flooding = new AbortController();
    const flood = Array.from({ length: POOL_SIZE + FLOOD }, async () => {
      while (!flooding.signal.aborted) await log.read(sleep).catch(() => undefined);
    });
    await proxy.next(/SLEEP/i, 'pass');
    // A backup is put back: the log lacks the last event, and what this instance had registered.
    await loseAllAfter(instance, (await headPosition(instance.dataSource)) - 1);
    await instance.dataSource.query('UPDATE auth_head SET max_staleness = 0');
    const before = await headPosition(instance.dataSource);
    try {
      await followAgain(instance);
    } finally {
      flooding.abort();
      await Promise.all(flood);
    }
    expect(await headPosition(instance.dataSource)).toBeGreaterThan(before);
    const [head] = (await instance.dataSource.query('SELECT max_staleness FROM auth_head')) as {
      max_staleness: unknown;
    }[];
    expect(Number(head?.max_staleness)).toBeGreaterThan(0);
  });

  it('a poll whose socket has died is sent again on a new connection', async () => {
    const debug = jest.spyOn(Logger.prototype, 'debug').mockImplementation(() => undefined);
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const { connections } = proxy;
    proxy.cut();
    await follow(instance);
    expect(proxy.connections).toBe(connections + 1);
    expect(warn.mock.calls).toEqual([]);
    expect(debug.mock.calls.map(([line]) => String(line))).toEqual([
      expect.stringMatching(/feed reconnects/),
    ]);
  });

  it('a connection that was silent for longer than polls allow is replaced, not tried', async () => {
    const { connections } = proxy;
    clockOf(instance).advance(60_000);
    // A network that has forgotten the connections of a frozen process: nothing arrives, nothing fails.
    proxy.forget();
    const [proof, login] = await Promise.all([instance.feed.strictProof(), instance.login('bob')]);
    expect({ proof, failure: instance.feed.failure }).toEqual({ proof: true, failure: undefined });
    expect(await instance.judge(login)).toBe('active');
    expect(proxy.connections).toBeGreaterThan(connections);
  });
});
