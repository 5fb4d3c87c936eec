import { describe, expect, it } from '@jest/globals';
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { EventKeys } from '../../../../lib/revocation/index/event-key.js';
import { RevocationIndex } from '../../../../lib/revocation/index/revocation-index.js';
import type { TokenIdentity } from '../../../../lib/options/token-claims.js';
import type {
  LogEvent,
  LogEventKind,
  RevocationKind,
  RevocationReason,
} from '../../../../lib/database/entities/revocation-event.entity.js';

const OWN = 'https://own.example';
const FOREIGN = 'https://foreign.example';
const keys = new EventKeys(OWN);
const NOW = 1_800_000_000_000;
const LATER = NOW + 600_000;

let positions = 100;

function event(
  kind: RevocationKind,
  issuer: string,
  id: string,
  more: Partial<LogEvent> = {},
): LogEvent {
  const position = ++positions;
  const marks = kind === 'subject' || kind === 'issuer';
  return {
    position,
    id: randomBytes(16).toString('hex'),
    kind,
    key: keys.hex(kind, issuer, id),
    killsBelow: marks ? position : null,
    except: null,
    accessOnly: false,
    issuedBefore: null,
    until: LATER,
    reason: 'logout',
    ...more,
  };
}

function indexOf(...events: LogEvent[]): RevocationIndex {
  const index = new RevocationIndex(keys);
  for (const each of events) index.add(each);
  return index;
}

function token(more: Partial<TokenIdentity> = {}): TokenIdentity {
  return {
    iss: OWN,
    sub: 'alice',
    sid: randomUUID(),
    jti: randomUUID(),
    gen: 50,
    iat: 1,
    ...more,
  };
}

function sweepAll(index: RevocationIndex, now: number): void {
  for (let i = 0; i < 100; i++) index.sweep(now);
}

describe('RevocationIndex', () => {
  it('an empty index knows nothing, and uses almost no memory', () => {
    const index = new RevocationIndex(keys);
    expect(index.find(token(), 'k')).toBeUndefined();
    expect(index.find({ iss: OWN })).toBeUndefined();
    expect(index.stats()).toEqual({
      entries: 0,
      bytes: 0,
      byKind: { token: 0, session: 0, subject: 0, key: 0, issuer: 0 },
    });
    expect(index.sweep(NOW)).toBe(0);
  });

  it('an event revokes one token, one login or one key, and no other', () => {
    const dead = token();
    const index = indexOf(
      event('token', OWN, dead.jti!),
      event('session', OWN, dead.sid!, { reason: 'newer_login' }),
      event('key', '', 'kid-1', { until: null, reason: 'key_compromised' }),
    );
    expect(index.find(token({ jti: dead.jti }))).toEqual({
      state: 'revoked',
      kind: 'token',
      reason: 'logout',
    });
    expect(index.find(token({ sid: dead.sid }))).toEqual({
      state: 'revoked',
      kind: 'session',
      reason: 'newer_login',
    });
    expect(index.find(token(), 'kid-1')).toEqual({
      state: 'revoked',
      kind: 'key',
      reason: 'key_compromised',
    });
    expect(index.findKey(OWN, 'kid-1')).toEqual({
      state: 'revoked',
      kind: 'key',
      reason: 'key_compromised',
    });
    expect(index.find(token(), 'kid-2')).toBeUndefined();
    expect(index.findKey(OWN, 'kid-2')).toBeUndefined();
    expect(index.find(token())).toBeUndefined();
    // A jti is no sid and no subject.
    expect(index.find(token({ sid: dead.jti, jti: dead.sid, sub: dead.jti }))).toBeUndefined();
    expect(index.stats()).toMatchObject({
      entries: 3,
      byKind: { token: 1, session: 1, subject: 0, key: 1, issuer: 0 },
    });
  });

  it('an event revokes what an account got before, up to its position (G3)', () => {
    const index = indexOf(
      event('subject', OWN, 'alice', { killsBelow: 60, reason: 'password_changed' }),
    );
    expect(index.find(token({ gen: 59 }))).toEqual({
      state: 'revoked',
      kind: 'subject',
      reason: 'password_changed',
    });
    expect(index.find(token({ gen: 60 }))).toBeUndefined();
    expect(index.find(token({ gen: 59, sub: 'bob' }))).toBeUndefined();
    expect(index.find(token({ gen: 59, sub: undefined }))).toBeUndefined();
  });

  it('an event keeps kills_below of the first try, whatever position a retry got (G3)', () => {
    const index = indexOf(event('subject', OWN, 'alice', { position: 900, killsBelow: 60 }));
    expect(index.find(token({ gen: 60 }))).toBeUndefined();
  });

  it('an event spares one session, in both orders (G4)', () => {
    const [s, t] = [randomUUID(), randomUUID()];
    const allButS = event('subject', OWN, 'alice', {
      killsBelow: 60,
      except: keys.hex('session', OWN, s),
    });
    const allButT = event('subject', OWN, 'alice', {
      killsBelow: 61,
      except: keys.hex('session', OWN, t),
    });
    const one = indexOf(allButS);
    expect(one.find(token({ sid: s }))).toBeUndefined();
    expect(one.find(token({ sid: t }))).toBeDefined();
    expect(one.find(token({ sid: undefined }))).toBeDefined();
    for (const index of [indexOf(allButS, allButT), indexOf(allButT, allButS)]) {
      expect(index.find(token({ sid: s }))).toBeDefined();
      expect(index.find(token({ sid: t }))).toBeDefined();
      expect(index.find(token({ sid: t, gen: 60 }))).toBeUndefined();
    }
  });

  it('an event of an issuer revokes its tokens up to the position, and no other issuer’s', () => {
    const index = indexOf(
      event('issuer', OWN, '', { killsBelow: 60, issuedBefore: NOW, reason: 'everyone' }),
    );
    expect(index.find(token({ gen: 59 }))).toEqual({
      state: 'revoked',
      kind: 'issuer',
      reason: 'everyone',
    });
    expect(index.find(token({ gen: 60 }))).toBeUndefined();
    expect(index.find(token({ iss: FOREIGN }))).toBeUndefined();
    const foreign = indexOf(event('issuer', FOREIGN, '', { issuedBefore: NOW }));
    expect(foreign.find(token({ iss: FOREIGN, gen: undefined }))).toBeDefined();
    expect(foreign.find(token())).toBeUndefined();
  });

  it('tokens without gen are refused in the same second, and accepted in the next', () => {
    const index = indexOf(event('subject', FOREIGN, 'alice', { issuedBefore: NOW + 300 }));
    const foreign = (iat: number | undefined): TokenIdentity =>
      token({ iss: FOREIGN, gen: undefined, iat });
    expect(index.find(foreign(NOW / 1000 - 1))).toBeDefined();
    expect(index.find(foreign(NOW / 1000))).toBeDefined();
    expect(index.find(foreign(NOW / 1000 + 0.9))).toBeDefined();
    expect(index.find(foreign(NOW / 1000 + 1))).toBeUndefined();
    // It cannot show that it is newer.
    expect(index.find(foreign(undefined))).toBeDefined();
  });

  it('an event spares one session of tokens without gen as well', () => {
    const sid = 'sid of theirs';
    const index = indexOf(
      event('subject', FOREIGN, 'alice', {
        issuedBefore: NOW,
        except: keys.hex('session', FOREIGN, sid),
      }),
    );
    expect(index.find(token({ iss: FOREIGN, gen: undefined, sid }))).toBeUndefined();
    expect(index.find(token({ iss: FOREIGN, gen: undefined, sid: 'other' }))).toBeDefined();
  });

  it('the gen of a foreign issuer is not taken for a position', () => {
    const index = indexOf(event('subject', FOREIGN, 'alice', { issuedBefore: NOW }));
    expect(index.find(token({ iss: FOREIGN, gen: 1e15, iat: NOW / 1000 }))).toBeDefined();
    expect(index.find(token({ iss: FOREIGN, gen: 0, iat: NOW / 1000 + 1 }))).toBeUndefined();
  });

  it('iat is ignored if there is a gen, so clocks decide nothing', () => {
    const index = indexOf(event('subject', OWN, 'alice', { killsBelow: 60, issuedBefore: NOW }));
    expect(index.find(token({ gen: 60, iat: 1 }))).toBeUndefined();
    expect(index.find(token({ gen: 59, iat: NOW / 1000 + 9999 }))).toBeDefined();
  });

  it('a pending event takes effect as the feed reports it, until it is numbered (C2, C3)', () => {
    const pending = event('subject', OWN, 'alice', {
      position: null,
      killsBelow: null,
      until: null,
    });
    const index = new RevocationIndex(keys);
    expect(() => index.add(pending)).toThrow(TypeError);
    index.add(pending, { killsBelow: 60, until: NOW + 5_000, issuedBefore: NOW });
    expect(index.find(token({ gen: 59 }))).toBeDefined();
    expect(index.find(token({ gen: 60 }))).toBeUndefined();
    expect(index.find(token({ gen: undefined, iat: NOW / 1000 }))).toBeDefined();
    // It does not expire while proofs carry it.
    index.add(pending, { killsBelow: 62, until: NOW + 9_000 });
    sweepAll(index, NOW + 9_000);
    expect(index.find(token({ gen: 61 }))).toBeDefined();
    index.add({ ...pending, position: 70, killsBelow: 70, until: LATER });
    sweepAll(index, NOW + 10_000);
    expect(index.find(token({ gen: 69 }))).toBeDefined();
    expect(index.find(token({ gen: 70 }))).toBeUndefined();

    const logout = event('token', OWN, 'x', { position: null, until: null });
    index.add(logout, { killsBelow: 62, until: NOW + 11_000 });
    expect(index.find(token({ jti: 'x', sub: 'bob' }))).toBeDefined();
    sweepAll(index, NOW + 12_000);
    expect(index.find(token({ jti: 'x', sub: 'bob' }))).toBeUndefined();
  });

  it('a pending event that was numbered is kept as long as its row, and no reload misses it', () => {
    const pending = event('token', OWN, 'x', { position: null, until: null });
    const index = new RevocationIndex(keys);
    // A token that expires in two seconds, revoked in a caller's transaction.
    index.add(pending, { killsBelow: 60, until: NOW + 1_020_000 });
    index.add({ ...pending, position: 60, until: NOW + 122_000 });
    expect(index.find(token({ jti: 'x', sub: 'bob' }))).toBeDefined();
    index.beginReload();
    expect(index.countMissing(NOW + 100_000)).toBe(1);
    expect(index.countMissing(NOW + 125_000)).toBe(0);
    sweepAll(index, NOW + 125_000);
    expect(index.stats().entries).toBe(0);
  });

  it('a pending event that a reload shows neither pending nor numbered is missing', () => {
    const pending = event('session', OWN, 'x', { position: null, until: null });
    const index = new RevocationIndex(keys);
    index.add(pending, { killsBelow: 60, until: NOW + 5_000 });
    expect(index.stats()).toMatchObject({ entries: 1, byKind: { session: 1 } });
    index.beginReload();
    expect(index.countMissing(NOW)).toBe(1);
    index.add(pending, { killsBelow: 61, until: NOW + 6_000 });
    expect(index.countMissing(NOW)).toBe(0);
  });

  it('a pending event is not missing if a reload shows a later event of its key, where it was purged', () => {
    const index = new RevocationIndex(keys);
    const subject = event('subject', OWN, 'alice', { position: null, until: null });
    const key = event('key', OWN, 'leaked', { position: null, until: null });
    for (const pending of [subject, key]) {
      index.add(pending, { killsBelow: 60, until: NOW + 5_000 });
    }
    index.beginReload();
    expect(index.countMissing(NOW)).toBe(2);
    index.add(event('subject', OWN, 'alice', { position: 90, accessOnly: true, until: LATER }));
    index.add(event('key', OWN, 'another', { position: 91, until: null }));
    expect(index.countMissing(NOW)).toBe(2); // they end something else
    index.add(event('subject', OWN, 'alice', { position: 92, until: LATER }));
    index.add(event('key', OWN, 'leaked', { position: 93, until: null }));
    expect(index.countMissing(NOW)).toBe(0);
  });

  it('dropping a pending event keeps the other events of the same key', () => {
    const pending = event('token', OWN, 'x', { position: null, until: null });
    const index = indexOf(event('token', OWN, 'x', { until: NOW + 300_000 }));
    index.add(pending, { killsBelow: 60, until: NOW + 1_020_000 });
    index.add({ ...pending, position: 60, until: NOW + 122_000 });
    sweepAll(index, NOW + 200_000);
    expect(index.find(token({ jti: 'x', sub: 'bob' }))).toBeDefined();
  });

  it('issuers are separate, also with equal UUIDs', () => {
    const id = randomUUID();
    for (const kind of ['token', 'session'] as const) {
      for (const [ended, other] of [
        [OWN, FOREIGN],
        [FOREIGN, OWN],
      ] as const) {
        const index = indexOf(event(kind, ended, id));
        expect(index.find({ iss: ended, jti: id, sid: id })).toEqual({
          state: 'revoked',
          kind,
          reason: 'logout',
        });
        expect(index.find({ iss: other, jti: id, sid: id })).toBeUndefined();
      }
    }
    const index = indexOf(event('subject', OWN, 'alice', { issuedBefore: NOW }));
    expect(index.find({ iss: FOREIGN, sub: 'alice', iat: 1 })).toBeUndefined();
  });

  it('ids are compared exactly', () => {
    const uuid = randomUUID().replace(/^./, 'a');
    const names = [
      uuid,
      uuid.toUpperCase(),
      `${uuid} `,
      'caf\u00e9',
      'cafe\u0301',
      'x',
      'x ',
      'X',
      '__proto__',
      'constructor',
      'toString',
      '',
      '\0',
      'x\0',
      '\ud800',
      '\udc00',
      '\ufffd',
    ];
    for (const issuer of [OWN, FOREIGN]) {
      for (const ended of names) {
        const index = indexOf(
          event('token', issuer, ended),
          event('session', issuer, ended),
          event('subject', issuer, ended, { issuedBefore: NOW }),
        );
        for (const name of names) {
          const hit = name === ended;
          expect(index.find({ iss: issuer, jti: name }) !== undefined).toBe(hit);
          expect(index.find({ iss: issuer, sid: name }) !== undefined).toBe(hit);
          expect(index.find({ iss: issuer, sub: name, iat: 1 }) !== undefined).toBe(hit);
        }
      }
    }
  });

  it('a history event revokes nothing, and an unknown kind is refused (H5)', () => {
    const index = new RevocationIndex(keys);
    index.add({ ...event('token', OWN, 'x'), kind: 'history' });
    expect(index.stats().entries).toBe(0);
    const strange = { ...event('token', OWN, 'x'), kind: 'device' as LogEventKind };
    expect(() => index.add(strange)).toThrow('unknown kind device');
    expect(() => index.add(event('token', OWN, 'x', { key: 'ABC' }))).toThrow('malformed key');
    expect(() => index.add(event('subject', OWN, 'x', { except: 'zz' }))).toThrow('malformed');
  });

  it('an event is forgotten at its second and not before, and a key never', () => {
    const ids = token();
    const index = indexOf(
      event('token', OWN, ids.jti!, { until: LATER + 1 }),
      event('session', OWN, ids.sid!, { until: null }),
      event('key', '', 'kid', { until: NOW }),
    );
    sweepAll(index, LATER + 1_999);
    expect(index.find(token({ jti: ids.jti }))).toBeDefined();
    sweepAll(index, LATER + 2_000);
    expect(index.find(token({ jti: ids.jti }))).toBeUndefined();
    sweepAll(index, NOW * 2);
    expect(index.find(token({ sid: ids.sid }))).toBeDefined();
    expect(index.findKey(OWN, 'kid')).toBeDefined();
  });

  it('the index reports what a reload did not bring (X3)', () => {
    const expired = event('token', OWN, 'old', { until: NOW - 10_000 });
    const known: LogEvent[] = [
      event('token', OWN, randomUUID()),
      event('session', OWN, 'sid'),
      event('subject', OWN, 'alice', { issuedBefore: NOW }),
      event('issuer', OWN, '', { issuedBefore: NOW }),
      event('key', '', 'kid', { until: null }),
    ];
    const index = indexOf(expired, ...known);

    expect(index.countMissing(NOW)).toBe(0);
    index.beginReload();
    expect(index.countMissing(NOW)).toBe(known.length);
    for (const [i, each] of known.entries()) {
      index.add(each);
      expect(index.countMissing(NOW)).toBe(known.length - 1 - i);
    }
    // A missing event stays in effect (H1).
    index.beginReload();
    expect(index.find(token({ sid: 'sid' }))).toBeDefined();
  });

  it('an event that had just expired is not reported as lost by a reload (X3)', () => {
    for (const until of [NOW - 1, NOW, NOW + 1, NOW + 999]) {
      const index = indexOf(event('token', OWN, 'x', { until }));
      index.beginReload();
      for (const now of [until, until + 1, until + 500, until + 999, until + 1000]) {
        expect(index.countMissing(now)).toBe(0);
      }
      expect(index.countMissing(until - 2_000)).toBe(1);
    }
  });

  it('100,000 entries of mixed kinds match no other id', () => {
    const index = new RevocationIndex(keys);
    const dead: TokenIdentity[] = [];
    for (let i = 0; i < 100_000; i++) {
      const identity = token({ sub: `user ${i}`, iss: i % 10 === 0 ? FOREIGN : OWN });
      const kind = (['token', 'session', 'subject'] as const)[i % 3]!;
      const id = { token: identity.jti, session: identity.sid, subject: identity.sub }[kind]!;
      index.add(event(kind, identity.iss, id, { issuedBefore: NOW }));
      dead.push(identity);
    }
    expect(index.stats().entries).toBe(100_000);
    const count = (identities: TokenIdentity[]): number =>
      identities.filter((identity) => index.find(identity) !== undefined).length;
    expect(count(dead)).toBe(100_000);
    expect(count(dead.map(({ iss }) => token({ iss, sub: 'nobody' })))).toBe(0);
    sweepAll(index, LATER + 1000);
    expect(index.stats()).toMatchObject({ entries: 0, bytes: 0 });
  });

  it('P6: never goes from revoked to accepted, whatever comes in whatever order', () => {
    const seed = randomInt(2 ** 31);
    let state = seed;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const sids = ['s1', 's2', 's3'];
    const tokens: TokenIdentity[] = [];
    for (const iss of [OWN, FOREIGN]) {
      for (const sub of ['alice', 'bob']) {
        for (const sid of sids) {
          for (let gen = 0; gen < 20; gen += 3) {
            const jti = `${iss} ${sub} ${sid} ${gen}`;
            const iat = NOW / 1000 + gen;
            tokens.push({ iss, sub, sid, jti, iat, gen: iss === OWN ? gen : undefined });
          }
        }
      }
    }
    const reasons: RevocationReason[] = ['unspecified', 'logout', 'everyone'];
    let revived = 0;
    for (let round = 0; round < 30; round++) {
      const index = new RevocationIndex(keys);
      const dead = new Set<TokenIdentity>();
      for (let step = 0; step < 60; step++) {
        const some = tokens[random(tokens.length)]!;
        const kind = (['token', 'session', 'subject', 'subject', 'issuer'] as const)[random(5)]!;
        const id = { token: some.jti, session: some.sid, subject: some.sub, issuer: '' }[kind]!;
        const position = random(20);
        const spared = kind === 'subject' && random(2) === 0 ? sids[random(3)]! : undefined;
        const pending = random(4) === 0;
        index.add(
          event(kind, some.iss, id, {
            position: pending ? null : position,
            killsBelow: pending ? null : position,
            issuedBefore: pending ? null : NOW + position * 1000,
            until: pending ? null : LATER + random(1000) * 1000,
            except: spared === undefined ? null : keys.hex('session', some.iss, spared),
            reason: reasons[random(3)]!,
          }),
          { killsBelow: position, until: LATER + random(1000), issuedBefore: NOW },
        );
        if (random(10) === 0) index.beginReload();
        index.sweep(NOW + random(600) * 1000);
        for (const each of tokens) {
          if (index.find(each) !== undefined) dead.add(each);
          else if (dead.has(each)) revived++;
        }
      }
    }
    expect({ revived, seed }).toEqual({ revived: 0, seed });
  });
});
