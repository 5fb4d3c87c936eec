import { jest, afterEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import * as fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { firstValueFrom } from 'rxjs';
import type { AuthException } from '../../../lib/errors/auth.exception.js';
import type { LiveToken } from '../../../lib/live/watch.js';
import type { TokenClaims } from '../../../lib/options/token-claims.js';
import { exactFor } from '../../../lib/revocation/log/retention.js';
import { codeOf } from '../../../lib/revocation/verdict.js';
import { eventually } from '../../support/eventually.js';
import { rounds } from '../../support/rounds.js';
import { fired, FOREIGN, LiveParts, OWN } from '../../support/live-parts.js';

const pick = fc.integer({ min: 0, max: 4 });
const act = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant('watch' as const),
      sub: pick,
      sid: pick,
      kid: pick,
      foreign: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constantFrom('token' as const, 'session' as const),
      of: fc.nat(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant('subject' as const),
      of: fc.nat(),
      spares: fc.option(fc.nat()),
      accessOnly: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constantFrom(
        'pending' as const,
        'release' as const,
        'lost' as const,
        'key' as const,
        'issuer' as const,
      ),
      of: fc.nat(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant('pass' as const),
      seconds: fc.integer({ min: 1, max: 400 }),
    }),
  },
);

interface Watched {
  readonly claims: TokenClaims;
  readonly kid: string;
  readonly live: LiveToken;
  readonly told: string[];
  isReleased: boolean;
  wasTold: boolean;
}

describe('LiveTokens', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('exactly the watches that the guard’s decision refuses end, whatever happens in whatever order', async () => {
    const check = fc.asyncProperty(fc.array(act, { maxLength: 60, size: 'max' }), async (acts) => {
      const parts = new LiveParts();
      const sids = Array.from({ length: 5 }, () => randomUUID());
      const all: Watched[] = [];
      const wrong: object[] = [];
      for (const each of acts) {
        if (each.act === 'watch') {
          const claims = parts.claims({
            sub: `subject ${each.sub}`,
            sid: sids[each.sid],
            ...(each.foreign ? { iss: FOREIGN, gen: undefined } : {}),
          });
          const kid = `key ${each.kid}`;
          const told: string[] = [];
          const live = parts.live.watch(claims, { kid, onEnd: ({ code }) => told.push(code) });
          all.push({ claims, kid, live, told, isReleased: false, wasTold: false });
        } else if (each.act === 'pass') {
          parts.clock.advance(each.seconds * 1000);
          parts.prove();
        } else {
          const one = all[each.of % all.length];
          if (one === undefined) continue;
          const { iss, sub, sid = '', jti = '' } = one.claims;
          if (each.act === 'subject') {
            const spared = all[(each.spares ?? 0) % all.length] as Watched;
            const isSpared = each.spares !== null && spared.claims.iss === iss;
            const except = isSpared
              ? parts.keys.hex('session', iss, spared.claims.sid ?? '')
              : null;
            parts.event('subject', sub, { except, accessOnly: each.accessOnly }, iss);
          } else if (each.act === 'token') parts.event('token', jti, {}, iss);
          else if (each.act === 'session') parts.event('session', sid, {}, iss);
          else if (each.act === 'key') parts.event('key', one.kid, {}, iss);
          else if (each.act === 'issuer') parts.event('issuer', '', {}, iss);
          else if (each.act === 'pending') parts.pending('subject', sub);
          else if (each.act === 'lost') parts.jump(400);
          else {
            one.live.release();
            one.isReleased = one.told.length === 0;
          }
        }
        await fired();
        for (const watched of all) {
          const { claims, kid, told, isReleased, live, wasTold } = watched;
          watched.wasTold = told.length > 0;
          const revoked = parts.index.find(claims, kid);
          const isExpired = parts.proofs.now() >= claims.exp * 1000;
          const isEnded = revoked !== undefined || isExpired;
          const isFired = told.length > 0;
          const mustFire = isEnded && !isReleased;
          const code = revoked === undefined || isExpired || wasTold ? told[0] : codeOf(revoked);
          const isRight = isFired === mustFire && told.length < 2 && (!isFired || told[0] === code);
          if (!isRight || live.end?.code !== told[0])
            wrong.push({ claims, told, revoked, mustFire });
        }
      }
      expect(wrong).toEqual([]);
      const open = all.filter(({ told, isReleased }) => told.length === 0 && !isReleased);
      expect(parts.meter.watched).toBe(open.length);
      for (const { live } of open) live.release();
      expect([parts.meter.watched, parts.index.additions.observed]).toEqual([0, false]);
    });
    await fc.assert(check, { numRuns: rounds(50, 300) });
  });

  it('an event rechecks only the tokens that it may affect', async () => {
    const parts = new LiveParts();
    const all = Array.from({ length: 2_000 }, (_, i) => parts.claims({ sub: `subject ${i}` }));
    for (const claims of all) parts.live.watch(claims);
    const asked = jest.spyOn(parts.decider, 'ending');
    parts.event('token', all[5]?.jti ?? '');
    parts.event('session', all[6]?.sid ?? '');
    parts.event('subject', 'subject 7');
    for (let i = 0; i < 100; i++) parts.event('session', randomUUID());
    await fired();
    expect(asked).toHaveBeenCalledTimes(3);
    expect(parts.meter).toMatchObject({
      watched: 1_997,
      liveEnded: { session_ended: 2, token_revoked: 1 },
    });
  });

  it('an event of an issuer rechecks all its tokens, and reports them in batches', async () => {
    const parts = new LiveParts();
    let told = 0;
    const options = { kid: 'key', onEnd: () => void told++ };
    for (let i = 0; i < 12_000; i++) parts.live.watch(parts.claims(), options);
    const asked = jest.spyOn(parts.decider, 'ending');
    parts.event('issuer', '');
    expect(asked.mock.calls.length).toBeLessThan(12_000);
    await Promise.resolve();
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThan(1_000);
    await eventually(() => told === 12_000);
    expect(asked).toHaveBeenCalledTimes(12_000);
    expect(parts.meter.watched).toBe(0);
  });

  it('a token that was revoked between its verification and the watch ends at once', async () => {
    const parts = new LiveParts();
    const claims = parts.claims();
    parts.event('session', claims.sid ?? '', { reason: 'password_changed' });
    const { signal } = parts.live.watch(claims);
    await fired();
    expect(signal.reason).toMatchObject({ code: 'session_ended', reason: 'password_changed' });
  });

  it('a watch has a signal and an Observable, also for late subscribers', async () => {
    const parts = new LiveParts();
    const live = parts.live.watch(parts.claims());
    const ended = firstValueFrom(live.ended);
    parts.event('issuer', '', { reason: 'everyone' });
    expect(await ended).toMatchObject({ code: 'token_revoked', reason: 'everyone' });
    expect(live.signal.aborted).toBe(true);
    expect(await firstValueFrom(live.ended)).toBe(live.end);
  });

  it('the other watches are notified if a callback throws, and the feed is not affected', async () => {
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const parts = new LiveParts();
    const told: string[] = [];
    const onEnd = (): never => {
      throw new Error('the socket is gone');
    };
    parts.live.watch(parts.claims(), { onEnd });
    parts.live.watch(parts.claims(), { onEnd: ({ code }) => told.push(code) });
    parts.event('subject', 'alice');
    await fired();
    expect(told).toEqual(['session_ended']);
    expect(error).toHaveBeenCalledWith(expect.stringContaining('the socket is gone'));
  });

  it('a revoked key ends its own tokens, and without a kid every token of its issuer', async () => {
    const parts = new LiveParts();
    const [good, bad, unknown] = ['good', 'bad', undefined].map((kid) =>
      parts.live.watch(parts.claims(), { kid }),
    );
    parts.event('key', 'bad', { except: parts.keys.hex('issuer', OWN, '') });
    await fired();
    expect([good?.end, bad?.end?.code, unknown?.end?.code]).toEqual([
      undefined,
      'key_revoked',
      'key_revoked',
    ]);
  });

  it('a token whose position turns out to be of a lost history is checked again', async () => {
    const parts = new LiveParts();
    const live = parts.live.watch(parts.claims({ gen: 5_000 }), { kid: 'key' });
    parts.event('subject', 'alice');
    await fired();
    expect(live.end).toBeUndefined();
    parts.jump(2_000, 9_000);
    await fired();
    expect(live.end).toMatchObject({ code: 'session_ended' });
  });

  it('a watch ends when a guard reports the token as expired, by the later of both clocks', async () => {
    const parts = new LiveParts();
    const live = parts.live.watch(parts.claims());
    for (let i = 0; i < 899; i++) {
      parts.prove();
      parts.clock.advance(1_000);
    }
    await fired();
    expect(live.end).toBeUndefined();
    parts.clock.skewDatabase(1_000);
    parts.prove();
    parts.clock.advance(1);
    await fired();
    expect(live.end).toBeUndefined();
    parts.clock.advance(999);
    await fired();
    expect(live.end).toMatchObject({ code: 'token_expired' });
  });

  it('a watch that starts at the last moment ends at the expiry', async () => {
    const parts = new LiveParts();
    const claims = parts.claims({ exp: parts.claims().iat + 1 });
    parts.clock.advance(999);
    const ending = parts.decider.ending.bind(parts.decider);
    jest.spyOn(parts.decider, 'ending').mockImplementation((...asked) => {
      parts.clock.advance(1);
      return ending(...asked);
    });
    const live = parts.live.watch(claims);
    parts.clock.advance(2_000);
    await fired();
    expect(live.end).toMatchObject({ code: 'token_expired' });
  });

  it('a watch is ended for every caller before its callback runs', async () => {
    const parts = new LiveParts();
    const told: AuthException[] = [];
    const watched = Array.from({ length: 300 }, () =>
      parts.live.watch(parts.claims(), { onEnd: (end) => told.push(end) }),
    );
    const good = parts.live.watch(parts.claims({ sub: 'bob' }));
    parts.event('subject', 'alice');
    expect(told).toEqual([]);
    const ends = watched.map(({ end }) => end);
    expect(new Set(ends.map((end) => end?.code))).toEqual(new Set(['session_ended']));
    expect(good.end).toBeUndefined();
    watched[299]?.release();
    expect(watched[299]?.end).toBeUndefined();
    await eventually(() => told.length === 299);
    expect(told).toEqual(ends.slice(0, 299));
  });

  it('a token of an unknown issuer ends at once', async () => {
    const parts = new LiveParts();
    const stranger = parts.live.watch(parts.claims({ iss: 'https://stranger.example' }));
    await fired();
    expect(stranger.end).toMatchObject({ code: 'token_invalid' });
    expect(() => parts.live.watch(undefined as unknown as TokenClaims)).toThrow(/without claims/);
  });

  describe('while freshness cannot be proven', () => {
    const watchMany = (parts: LiveParts, whenStale?: 'open' | 'closed'): LiveToken[] =>
      Array.from({ length: 200 }, () => parts.live.watch(parts.claims(), { whenStale }));
    const open = (all: LiveToken[]): number => all.filter(({ end }) => end === undefined).length;

    it('all watches end within the lease, spread over its last fifth, except those that a policy keeps open', async () => {
      const parts = new LiveParts();
      parts.feed.failing = true;
      const usual = watchMany(parts);
      const lenient = watchMany(parts, 'open');
      const counts: number[] = [];
      for (const time of [3_900, 4_400, 4_900]) {
        parts.clock.advance(time - parts.clock.monotonic());
        await fired();
        counts.push(open(usual));
      }
      expect(counts[0]).toBe(200);
      expect(counts[1]).toBeGreaterThan(50);
      expect(counts[1]).toBeLessThan(150);
      expect(counts[2]).toBe(0);
      expect(usual[0]?.end).toMatchObject({ code: 'revocation_state_unknown' });
      parts.clock.advance(600_000);
      await fired();
      expect(open(lenient)).toBe(200);
    });

    it('no watch ends while proofs arrive, however late their timers are', async () => {
      const parts = new LiveParts();
      const all = watchMany(parts);
      for (let i = 0; i < 100; i++) {
        parts.clock.advance(3_000);
        parts.prove();
      }
      await fired();
      expect(open(all)).toBe(200);
    });

    it('a watch waits for one poll after a pause, as a request does', async () => {
      const parts = new LiveParts();
      const all = watchMany(parts);
      parts.feed.proofWithin = () => {
        parts.prove();
        return Promise.resolve(true);
      };
      parts.clock.advance(3_600_000 / 60);
      await fired();
      expect(open(all)).toBe(200);
    });

    it('a watch of an opaque token ends after a pause in which its revocation may have been forgotten', async () => {
      const parts = new LiveParts();
      const told: string[] = [];
      const onEnd = (name: string) => ({
        onEnd: ({ code }: AuthException) => void told.push(`${name}: ${code}`),
      });
      const { maxTokenLife } = parts.options;
      const exp = Math.floor((parts.clock.wall() + maxTokenLife) / 1000);
      parts.live.watch(parts.claims({ sid: undefined, exp }), { kid: '', ...onEnd('opaque') });
      parts.live.watch(parts.claims({ exp }), { kid: 'key', ...onEnd('JWT') });
      for (let i = 0; i < 10; i++) {
        parts.clock.advance(3_000);
        parts.prove();
      }
      await fired();
      expect(told).toEqual([]);
      // The poll comes first, and its reload lacks what has expired meanwhile.
      parts.clock.skewWall(exactFor(parts.options));
      parts.prove();
      parts.clock.advance(1_000);
      await fired();
      expect(told).toEqual(['opaque: revocation_state_unknown']);
    });

    it('a watch waits for no poll past the lease', async () => {
      const parts = new LiveParts();
      parts.clock.advance(4_750);
      const all = watchMany(parts);
      parts.feed.proofWithin = (_, timeout) =>
        new Promise((resolve) => void parts.clock.schedule(timeout, () => resolve(false)));
      parts.clock.advance(100);
      await fired();
      parts.clock.advance(50);
      await fired();
      expect(open(all)).toBe(0);
    });

    it('a watch keeps its lease through a contradiction, and then ends even if a policy names it', async () => {
      const parts = new LiveParts();
      parts.feed.failing = true;
      const all = watchMany(parts, 'open');
      parts.proofs.discard();
      parts.clock.advance(3_900);
      await fired();
      expect(open(all)).toBe(200);
      parts.clock.advance(1_000);
      await fired();
      expect(open(all)).toBe(0);
    });

    it('a watch follows an override, unless its policy is closed', async () => {
      const parts = new LiveParts();
      parts.feed.failing = true;
      parts.overrides.upTo = 60_000;
      const [usual, closed] = [watchMany(parts), watchMany(parts, 'closed')];
      parts.clock.advance(4_900);
      await fired();
      expect([open(usual), open(closed)]).toEqual([200, 0]);
      parts.overrides.upTo = 0;
      parts.clock.advance(1_300);
      await fired();
      expect(open(usual)).toBe(0);
    });
  });

  it('no watch ends in observe mode, and all are checked again when it is over', async () => {
    const parts = new LiveParts();
    parts.reporter.observingUntil = 1;
    const live = parts.live.watch(parts.claims());
    parts.event('subject', 'alice');
    parts.clock.advance(1_000);
    await fired();
    expect(live.end).toBeUndefined();
    parts.reporter.observingUntil = undefined;
    parts.clock.advance(1_000);
    await fired();
    expect(live.end).toMatchObject({ code: 'session_ended' });
  });

  it('no callback runs after a release, even if it was scheduled, and none after a shutdown', async () => {
    const parts = new LiveParts();
    const told: string[] = [];
    const live = parts.live.watch(parts.claims(), { onEnd: ({ code }) => told.push(code) });
    parts.event('subject', 'alice');
    live.release();
    live.release();
    parts.live.watch(parts.claims({ gen: 9_000 }), { onEnd: ({ code }) => told.push(code) });
    parts.live.onApplicationShutdown();
    parts.clock.advance(3_600_000);
    await fired();
    expect(told).toEqual([]);
  });
});
