import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { AuthSettings, DpopRequest, LoginResult } from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { describeOn, postgres, sqlite, type TestDatabase } from '../../support/databases.js';
import { DpopKey } from '../../support/dpop-key.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { claimsIn } from '../../support/log-tables.js';
import { codeOf } from '../../support/session-acts.js';

const HOME = '203.0.113.7';
/** In the same /24. */
const NEXT_DOOR = '203.0.113.8';
const AWAY = '198.51.100.9';
const MINUTE = 60_000;

let database: TestDatabase;
let clock: TestClock;
const instances: Instance[] = [];

async function start(options: Partial<AuthSettings>): Promise<Instance> {
  const instance = await startInstance(database, { clock, options });
  instances.push(instance);
  return instance;
}

type Pair = Required<LoginResult>;

async function login(at: Instance, context: object = { ip: HOME }): Promise<Pair> {
  return (await at.sessions.login(() => ({ subject: 'alice' }), context)) as Pair;
}

async function refresh(at: Instance, pair: LoginResult, context: object = {}): Promise<Pair> {
  return (await at.sessions.refresh(pair.refreshToken ?? '', { ip: HOME, ...context })) as Pair;
}

const refreshCode = (at: Instance, pair: LoginResult, ip: string): Promise<string> =>
  codeOf(refresh(at, pair, { ip }));

/** What a guard decides about a request from this address, with everything that the log has. */
const codeAt = (at: Instance, { accessToken }: LoginResult, ip = HOME): Promise<string> =>
  codeOf(at.tokens.verify(accessToken, { freshness: 'strict', request: { headers: {}, ip } }));

function proof(key: DpopKey): { readonly dpop: DpopRequest } {
  const dpop = key.proof('POST', 'https://api.example.com/auth', { now: clock.wall() });
  const headers = { host: 'api.example.com', dpop };
  return { dpop: { headers, method: 'POST', url: '/auth', protocol: 'https' } };
}

// Each instance has its own options, as those of a deploy and of a rollback have.
describeOn([sqlite, postgres], 'sessions from before an option was changed', (kind) => {
  beforeEach(async () => {
    database = await kind.migrated();
    clock = new TestClock();
  });
  afterEach(async () => {
    for (const instance of instances.splice(0)) await instance.close();
    await database?.drop();
  });

  it('binding.ip turned on: an old access token is accepted from any address, and a refresh only from the last network', async () => {
    const before = await start({});
    const after = await start({ binding: { ip: 'exact' } });
    const old = await login(before);
    expect(await codeAt(after, old, AWAY)).toBe('good');
    expect(await refreshCode(after, old, AWAY)).toBe('binding_mismatch');
    const next = await refresh(after, old, { ip: NEXT_DOOR });
    expect(claimsIn(next.accessToken)).toMatchObject({ cnf: { ip: expect.any(String) } });
    expect(await codeAt(after, next, NEXT_DOOR)).toBe('good');
    expect(await codeAt(after, next, HOME)).toBe('binding_mismatch');
    expect(await refreshCode(after, next, HOME)).toBe('binding_mismatch');
    expect(await refreshCode(after, next, NEXT_DOOR)).toBe('good');
    // Unbound access tokens are accepted until they expire.
    clock.advance(16 * MINUTE);
    expect(await codeAt(after, old, AWAY)).toBe('token_expired');
  });

  it('binding.ip turned on: a login that named no address is bound by its next refresh', async () => {
    const before = await start({});
    const after = await start({ binding: { ip: 'network' } });
    const old = await login(before, {});
    const next = await refresh(after, old, { ip: AWAY });
    expect(await codeAt(after, next, HOME)).toBe('binding_mismatch');
    expect(await refreshCode(after, next, HOME)).toBe('binding_mismatch');
    expect(await refreshCode(after, next, AWAY)).toBe('good');
  });

  it('TB-04: reuse is detected after a thief binds such a session to another address (RT-04)', async () => {
    const before = await start({});
    const after = await start({ binding: { ip: 'network' } });
    const old = await login(before, {});
    const stolen = await refresh(after, old, { ip: AWAY });
    // A retry of the owner may come within the grace, and takes nothing away.
    expect(await refreshCode(after, old, HOME)).toBe('binding_mismatch');
    expect(await codeAt(after, stolen, AWAY)).toBe('good');
    clock.advance(MINUTE);
    expect(await refreshCode(after, old, HOME)).toBe('refresh_token_reused');
    expect(await codeAt(after, stolen, AWAY)).toBe('session_ended');
    expect(await refreshCode(after, stolen, AWAY)).toBe('session_ended');
  });

  it('binding.ip turned on: a phone is refreshed anywhere, as before', async () => {
    const before = await start({});
    const after = await start({ binding: { ip: 'exact' } });
    const old = await login(before, { ip: HOME, client: 'ios' });
    const next = await refresh(after, old, { ip: AWAY });
    expect(claimsIn(next.accessToken)).not.toHaveProperty('cnf');
    expect(await codeAt(after, next, HOME)).toBe('good');
  });

  it('binding.ip turned off frees tokens and sessions at once, and on again asks for the same address', async () => {
    const on = await start({ binding: { ip: 'exact' } });
    const off = await start({});
    const bound = await login(on);
    expect(await codeAt(off, bound, AWAY)).toBe('good');
    const free = await refresh(off, bound, { ip: AWAY });
    expect(claimsIn(free.accessToken)).not.toHaveProperty('cnf');
    // In the middle of a deploy too: a thief cannot use the instances that do not bind yet to unbind it.
    expect(await refreshCode(on, free, AWAY)).toBe('binding_mismatch');
    const again = await refresh(on, free, { ip: HOME });
    expect(await codeAt(on, again, AWAY)).toBe('binding_mismatch');
  });

  it('dpop turned on: optional goes on without a proof, required asks for one at the next refresh', async () => {
    const before = await start({});
    const optional = await start({ binding: { dpop: 'optional' } });
    const required = await start({ binding: { dpop: 'required' } });
    const old = await login(before);
    expect(await codeAt(optional, old)).toBe('good');
    expect(await codeAt(required, old)).toBe('binding_mismatch');
    const next = await refresh(optional, old);
    expect(next.tokenType).toBeUndefined();
    expect(await codeOf(refresh(required, next))).toBe('dpop_proof_required');
    const key = new DpopKey();
    expect(await refresh(required, next, proof(key))).toMatchObject({ tokenType: 'DPoP' });
  });

  it('dpop turned off makes bound tokens bearer tokens, and on again asks for the same key', async () => {
    const on = await start({ binding: { dpop: 'optional' } });
    const off = await start({});
    const key = new DpopKey();
    const bound = await login(on, { ip: HOME, ...proof(key) });
    expect(await codeAt(on, bound)).toBe('dpop_proof_invalid');
    expect(await codeAt(off, bound)).toBe('good');
    const free = await refresh(off, bound);
    expect(claimsIn(free.accessToken)).not.toHaveProperty('cnf');
    expect(await codeAt(on, free)).toBe('good');
    expect(await codeOf(refresh(on, free))).toBe('refresh_token_invalid');
    expect(await codeOf(refresh(on, free, proof(new DpopKey())))).toBe('refresh_token_invalid');
    expect(await refresh(on, free, proof(key))).toMatchObject({ tokenType: 'DPoP' });
  });

  it('accessTokens: tokens of both forms are good beside each other, and end with their session', async () => {
    const jwt = await start({ apiTokens: true });
    const opaque = await start({ apiTokens: true, accessTokens: 'opaque' });
    const first = await login(jwt);
    const second = await refresh(opaque, first);
    const third = await refresh(jwt, second);
    expect([first, second, third].map(({ accessToken }) => accessToken.slice(0, 4))).toEqual([
      'eyJh',
      'nlt_',
      'eyJh',
    ]);
    const all = (at: Instance): Promise<string[]> =>
      Promise.all([first, second, third].map((pair) => codeAt(at, pair)));
    for (const at of [jwt, opaque]) expect(await all(at)).toEqual(['good', 'good', 'good']);
    await jwt.logout.logout(third.accessToken);
    const ended = ['session_ended', 'session_ended', 'session_ended'];
    for (const at of [jwt, opaque]) expect(await all(at)).toEqual(ended);
    expect(await codeOf(refresh(opaque, third))).toBe('session_ended');
  });

  it('apiTokens turned off: an opaque access token is refused, and its session is refreshed with a JWT', async () => {
    const on = await start({ apiTokens: true, accessTokens: 'opaque' });
    const off = await start({});
    const pair = await login(on);
    expect(await codeAt(off, pair)).toBe('token_malformed');
    const next = await refresh(off, pair);
    expect(next.accessToken).toMatch(/^eyJ/);
    expect(await codeAt(on, pair)).toBe('good');
    await off.logout.logout(next.accessToken);
    expect(await codeAt(on, pair)).toBe('session_ended');
  });
});
