import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { AuthClock } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import type { DataSourceOptions } from 'typeorm';
import { type Instance, type InstanceSettings, startInstance } from '../../support/instance.js';
import { LOAD_PAGE, ServerLogDatabase } from '../../support/internals.js';
import { mintToken } from '../../support/mint-token.js';
import { PostgresPair } from '../../support/postgres-pair.js';
import { describeOnServer } from '../../support/describe-on-server.js';
import {
  endSessions,
  followAgain,
  ISSUER,
  knows,
  listenForErrors,
} from '../../support/controlled-instance.js';
import { claimsIn, follow, readEvents } from '../../support/log-tables.js';
import { codeOf, login } from '../../support/session-acts.js';
import { tellsOf } from './lost-history.js';
import { Load, peerOf } from './load.js';

const REFUSALS: ReadonlySet<string> = new Set(['session_ended', 'token_revoked']);
const AUDIENCE = 'https://audience.test';

describeOnServer('a promoted standby', () => {
  let pair: PostgresPair;
  let instances: Instance[];
  let errors: () => string[];

  beforeEach(async () => {
    pair = await PostgresPair.start();
    instances = [];
  });

  afterEach(async () => {
    await Promise.all(instances.map((instance) => instance.close()));
    await pair?.remove();
    jest.restoreAllMocks();
  });

  const start = async (settings: InstanceSettings = {}): Promise<Instance> => {
    const instance = await startInstance(pair.database, { clock: new TestClock(), ...settings });
    instances.push(instance);
    return instance;
  };

  const judgeEverywhere = (tokens: readonly string[]): Promise<string[][]> =>
    Promise.all(instances.map(({ judge }) => Promise.all(tokens.map(judge))));

  const expectEverywhere = async (tokens: readonly string[], code: string): Promise<void> =>
    expect(await judgeEverywhere(tokens)).toEqual(instances.map(() => tokens.map(() => code)));

  const expectRefused = async (tokens: readonly string[]): Promise<void> => {
    const codes = new Set((await judgeEverywhere(tokens)).flat());
    expect([...codes].filter((code) => !REFUSALS.has(code))).toEqual([]);
  };

  it('a standby that lost nothing is promoted without a wrong decision, a reload, an alarm or a restart', async () => {
    // Acknowledged commits are on both, as the documentation requires.
    await pair.one.query(`ALTER SYSTEM SET synchronous_standby_names = '*'`);
    await pair.one.query('SELECT pg_reload_conf()');
    const options = { maxStaleness: '2s' } as const;
    const [near, far] = [
      await start({ clock: new AuthClock(), options }),
      await start({ clock: new AuthClock(), options }),
    ];
    const mint = (): string => mintToken({ iss: ISSUER, aud: AUDIENCE });
    const spared = Array.from({ length: 10 }, mint);
    const queue = Array.from({ length: 5_000 }, mint);
    const load = new Load([peerOf('near', near), peerOf('far', far)], spared, queue);
    errors = listenForErrors();
    const read = jest.spyOn(ServerLogDatabase.prototype, 'read');

    load.start();
    await load.afterLogouts(50);
    await pair.failOver();
    await load.everywhere('accepted');
    await load.afterLogouts(50);
    await load.stop();

    expect(load.violations(2_000)).toEqual([]);
    expect(errors()).toEqual([]);
    expect(read.mock.calls.filter(([{ values }]) => values.at(-1) === LOAD_PAGE)).toEqual([]);
    // Everything that was answered is on the new primary.
    const young = await start();
    for (const token of load.resolved) expect(await young.judge(token)).toBe('session_ended');
    for (const token of spared) expect(await young.judge(token)).toBe('active');
    const renewed = await young.login('alice');
    for (const instance of [near, far]) expect(await instance.judge(renewed)).toBe('active');
  });

  it('E8: failover lost two commits: known logouts hold, the alarm counts them, logoutAll reaches the lost history', async () => {
    const [near, far] = [await start(), await start()];
    errors = listenForErrors();
    const told = [tellsOf(near), tellsOf(far)];
    const alice = await login(near, 'alice');
    const [bob, dave] = [await near.login('bob'), await near.login('dave')];
    await endSessions(near, 3);
    await pair.replicated();
    pair.stopReplication();
    await near.logout.logout(alice.accessToken);
    await near.logout.logoutAll('bob');
    // Their position was read in a history that is lost.
    const [carol, erin] = [await near.login('carol'), await near.login('erin')];
    await follow(far);
    await pair.failOver();
    for (const instance of [near, far]) await followAgain(instance);

    await expectEverywhere([alice.accessToken, bob], 'session_ended');
    await expectEverywhere([dave], 'active');
    expect(errors()).toEqual([
      expect.stringMatching(/\b2 known live events/),
      expect.stringMatching(/\b2 known live events/),
    ]);
    expect(told.map(({ lost }) => lost)).toEqual([[2], [2]]);
    // Its row has come back to life; the instances know better.
    for (const instance of [near, far]) {
      expect(await codeOf(instance.sessions.refresh(alice.refreshToken))).toBe('session_ended');
    }

    // Every later logout holds against every token, and spares those that come after it.
    await near.logout.logoutAll('carol');
    const renewed = await far.login('carol');
    for (const instance of [near, far]) await follow(instance);
    await expectRefused([alice.accessToken, bob, carol]);
    await expectEverywhere([renewed, dave], 'active');
    // Also on one that was never notified of the lost history; bob's logout it cannot know.
    await start();
    await expectRefused([carol]);
    await expectEverywhere([renewed, dave], 'active');
    await near.logout.revokeEveryone();
    for (const instance of instances) await follow(instance);
    await expectRefused([alice.accessToken, bob, carol, dave, erin, renewed]);
  });

  it('E9: cursor ahead of the new primary, and others write first: no position is handed out twice', async () => {
    const old = await start();
    errors = listenForErrors();
    const tokens = [await old.login('alice'), await old.login('bob')] as const;
    await endSessions(old, 3);
    await pair.replicated();
    pair.stopReplication();
    const lost = await endSessions(old, 2);
    await old.logout.logout(tokens[0]);
    const forgotten = new Set((await readEvents(old.dataSource)).slice(3).map((e) => e.position));
    await pair.failOver();
    // It does not know what was lost, and writes more than that before the old one asks.
    const young = await start();
    const later = await endSessions(young, 5);
    await young.logout.logoutAll('bob');
    const positions = (await readEvents(young.dataSource)).map(({ position }) => position);
    expect(positions.filter((position) => forgotten.has(position))).toEqual([]);

    await followAgain(old);
    expect([...lost, ...later].filter((sid) => !knows(old, sid))).toEqual([]);
    for (const token of tokens) expect(await old.judge(token)).toBe('session_ended');
    expect(errors()).toEqual([expect.stringMatching(/\b3 known live events/)]);
    expect(old.cursor.position).toBe(young.cursor.position);
    expect(claimsIn(await old.login('bob')).gen).toBe(old.cursor.position);
  });

  it('E11: split brain, assumed away: each side believes its own primary; joined again, both refuse', async () => {
    const near = await start();
    const [alice, bob] = [await near.login('alice'), await near.login('bob')];
    await endSessions(near, 1);
    await pair.replicated();
    pair.stopReplication();
    await pair.promote();
    // One instance is led to the new primary while the old one stays up under the other.
    pair.network.redirect('127.0.0.1', pair.other.port);
    const far = await start();
    pair.network.redirect('127.0.0.1', pair.one.port);
    errors = listenForErrors();
    await followAgain(near);
    await near.logout.logout(alice);
    pair.moveAddress();
    await followAgain(far);
    // This is what the assumption of one primary is for: nothing notifies this side.
    expect(await far.judge(alice)).toBe('active');
    expect(await near.judge(alice)).toBe('session_ended');

    // The old primary is given up.
    await pair.killPrimary();
    await followAgain(near);
    expect(await near.judge(alice)).toBe('session_ended');
    expect(errors()).toEqual([expect.stringMatching(/\b1 known live events/)]);
    await far.logout.revokeEveryone();
    await follow(near);
    await expectRefused([alice, bob]);
  });

  it('E7: replica in the options: reads go to the primary; a replica behind the address opens nothing', async () => {
    const there = await start();
    const token = await there.login('alice');
    await pair.replicated();
    pair.stopReplication();
    const url = pair.database.url;
    const stale = pair.other.url('logout');
    const options: DataSourceOptions = {
      type: 'postgres',
      replication: { master: { url }, slaves: [{ url: stale }] },
    };
    const here = await startInstance(
      { ...pair.database, options },
      { clock: new TestClock(), options: { migrations: 'check' } },
    );
    instances.push(here);
    await there.logout.logout(token);
    await follow(here);
    await expectEverywhere([token], 'session_ended');

    // The address leads to a standby now: it answers every question, and proves nothing.
    const spared = await there.login('bob');
    expect(await here.judge(spared)).toBe('active');
    pair.network.redirect('127.0.0.1', pair.other.port);
    const booting = startInstance(
      { ...pair.database, options: { type: 'postgres', url: stale } },
      { clock: new TestClock() },
    );
    await expect(booting).rejects.toThrow(/read-only/);
    for (const instance of [here, there]) {
      (instance.clock as TestClock).advance(5_000);
      expect(await instance.feed.strictProof()).toBe(false);
      expect(await instance.judge(spared)).toBe('revocation_state_unknown');
      expect(await instance.judge(token)).toBe('session_ended');
    }
    pair.network.redirect('127.0.0.1', pair.one.port);
    for (const instance of [here, there]) await followAgain(instance);
    await expectEverywhere([spared], 'active');
  });
});
