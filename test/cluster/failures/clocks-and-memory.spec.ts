import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import { AccountService } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, postgres } from '../../support/databases.js';
import type { Instance } from '../../support/instance.js';
import { EventKeys, type LogEvent, pageOf, RevocationIndex } from '../../support/internals.js';
import { clockOf, eventAt, ISSUER, NEVER_WAIT } from '../../support/controlled-instance.js';
import { claimsIn, follow } from '../../support/log-tables.js';
import { alive, login } from '../../support/session-acts.js';
import { Cluster } from './cluster.js';

const HOUR = 3_600_000;

describeOn([postgres], 'failures of clocks, and races', () => {
  let cluster: Cluster;

  beforeEach(async () => {
    cluster = await Cluster.start();
  });

  afterEach(() => cluster?.close());

  it('E13: wall clocks 30 s apart that jump by an hour: the bound holds, and nothing comes back', async () => {
    const options = { ...NEVER_WAIT, maxStaleness: '5s', accessTokenTtl: '4h' } as const;
    const hosts: Instance[] = [];
    for (const skew of [30_000, -30_000]) {
      const host = await cluster.instance({ options });
      clockOf(host).skewWall(skew);
      await follow(host);
      hosts.push(host);
    }
    const [near, far] = hosts as [Instance, Instance];
    for (const skew of [HOUR, -HOUR, 0]) {
      const [before, ended, good] = [
        await near.login('alice'),
        await near.login('bob'),
        await near.login('carol'),
      ];
      await follow(far);
      await near.logout.logout(ended);
      await near.logout.logoutAll('alice');
      const after = await near.login('alice');
      expect(await near.judge(ended)).toBe('session_ended');
      // The other gets no answer, and its clock jumps: the lease still lapses, or at once.
      clockOf(far).skewWall(skew);
      expect(await far.judge(good)).toBe(skew > 0 ? 'revocation_state_unknown' : 'active');
      clockOf(far).advance(4_901);
      expect(await far.judge(ended)).toBe('revocation_state_unknown');
      await follow(far);
      for (const host of hosts) {
        expect([await host.judge(ended), await host.judge(before)]).toEqual([
          'session_ended',
          'session_ended',
        ]);
        expect([await host.judge(good), await host.judge(after)]).toEqual(['active', 'active']);
      }
      clockOf(far).skewWall(-skew);
      expect(await far.judge(ended)).toBe('session_ended');
      await follow(far);
      expect(await far.judge(ended)).toBe('session_ended');
    }
  });

  it('E20: logout races with refresh, login and a second logout: everything that started before it is revoked', async () => {
    const instances = [await cluster.instance(), await cluster.instance()] as const;
    const [one, other] = instances;
    for (let round = 0; round < 8; round++) {
      const subject = `alice-${round}`;
      const before = await login(one, subject);
      const [, , refreshed, between] = await Promise.all([
        one.logout.logoutAll(subject),
        other.logout.logoutAll(subject),
        other.sessions.refresh(before.refreshToken).catch(() => null),
        other.sessions.login(() => ({ subject })).catch(() => null),
      ]);
      expect(await alive(instances, [before, refreshed])).toEqual([]);
      // Overtaken or not: it is refused everywhere or accepted everywhere, and reported as such.
      const verdicts = await Promise.all(
        instances.map(async (instance) => {
          await follow(instance);
          return between === null ? 'null' : instance.judge(between.accessToken);
        }),
      );
      expect(new Set(verdicts).size).toBe(1);
      expect(await alive([one], [await login(other, subject)])).not.toEqual([]);
    }
  });

  it('E22: lock, unlock, lock: in whatever order the events arrive, each ends what is older and no more', async () => {
    const instance = await cluster.instance();
    const accounts = instance.app.get(AccountService);
    const first = await instance.login('alice');
    await accounts.lock('alice', '1h');
    await accounts.unlock('alice');
    const second = await instance.login('alice');
    await accounts.lock('alice', '1h');
    await accounts.unlock('alice');
    const third = await instance.login('alice');
    const { database, statements } = await instance.open();
    const { rows } = await database.read(statements.page(0, instance.cursor.position, 0, 100));
    const events = pageOf(rows).events();
    expect(events.map(({ kind }) => kind)).toEqual(['subject', 'subject']);
    for (const order of permutations(events)) {
      const index = new RevocationIndex(new EventKeys(ISSUER));
      const found = (): boolean[] =>
        [first, second, third].map((token) => {
          const { sub, sid, jti, gen } = claimsIn(token);
          return index.find({ iss: ISSUER, sub: String(sub), sid, jti, gen }) !== undefined;
        });
      let refused = found();
      for (const event of order) {
        index.add(event);
        const now = found();
        // Nothing un-revokes, at whatever position an unlock is.
        expect(now.filter((isRefused, place) => refused[place] === true && !isRefused)).toEqual([]);
        refused = now;
      }
      expect(refused).toEqual([true, true, false]);
    }
  });
});

describe('failures of memory', () => {
  it('E21: a million logouts: the index holds exactly the events that have not expired', () => {
    const LIFE = 1_020;
    const PER_SECOND = 100;
    const index = new RevocationIndex(new EventKeys(ISSUER));
    const keys = new EventKeys(ISSUER);
    const clock = new TestClock(1_000_000_000_000);
    const watched: { sid: string; until: number }[] = [];
    const forgotten: string[] = [];
    let most = 0;
    let bytes = 0;
    for (let second = 0; second < 10_000; second++) {
      const now = clock.wall();
      const until = now + LIFE * 1000;
      const sid = randomUUID();
      if (second % 10 === 0) watched.push({ sid, until });
      index.add(eventAt(1, { key: keys.hex('session', ISSUER, sid), until }));
      // Their sessions do not matter, so their keys need not be computed.
      const others = randomBytes(16 * (PER_SECOND - 1)).toString('hex');
      for (let start = 0; start < others.length; start += 32) {
        index.add(eventAt(1, { key: others.slice(start, start + 32), until }));
      }
      index.sweep(now);
      if (second % 100 === 0) {
        const live = watched.filter((entry) => entry.until >= now);
        const gone = live.filter(({ sid }) => index.find({ iss: ISSUER, sid }) === undefined);
        forgotten.push(...gone.map(({ sid }) => sid));
        const stats = index.stats();
        most = Math.max(most, stats.entries);
        bytes = Math.max(bytes, stats.bytes);
      }
      clock.advance(1_000);
    }
    expect(forgotten).toEqual([]);
    const live = LIFE * PER_SECOND;
    expect(most).toBeGreaterThanOrEqual(live * 0.99);
    expect(most).toBeLessThan(live * 1.25);
    expect(bytes).toBeLessThan(live * 100);
  });
});

function permutations(events: readonly LogEvent[]): LogEvent[][] {
  if (events.length < 2) return [[...events]];
  return events.flatMap((event, place) =>
    permutations(events.filter((_, other) => other !== place)).map((rest) => [event, ...rest]),
  );
}
