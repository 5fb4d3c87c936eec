import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  AuthException,
  type AuthSettings,
  type DpopRequest,
  type LoginResult,
} from 'nestjs-logout';
import { TestClock } from 'nestjs-logout/testing';
import { databaseKinds, describeOn, sqlite, type TestDatabase } from '../../support/databases.js';
import { DpopKey } from '../../support/dpop-key.js';
import { type Instance, startInstance } from '../../support/instance.js';
import { claimsIn } from '../../support/log-tables.js';

const HOME = '203.0.113.7';
const AWAY = '198.51.100.9';
const BINDING = { ip: 'network', dpop: 'optional' } as const;

let database: TestDatabase;
let clock: TestClock;
let here: Instance;
let there: Instance;

const start = (options: Partial<AuthSettings>): Promise<Instance> =>
  startInstance(database, { clock, options });

afterEach(async () => {
  await here?.close();
  await there?.close();
  await database?.drop();
});

/** A request with a proof, as a controller passes it on. */
function proven(key: DpopKey): DpopRequest {
  const dpop = key.proof('POST', 'https://api.example.com/auth', { now: clock.wall() });
  return {
    headers: { host: 'api.example.com', dpop },
    method: 'POST',
    url: '/auth',
    protocol: 'https',
  };
}

async function login(at: Instance, key?: DpopKey, ip = HOME): Promise<Required<LoginResult>> {
  const dpop = key && proven(key);
  const result = await at.sessions.login(() => ({ subject: 'alice' }), { ip, dpop });
  return result as Required<LoginResult>;
}

/** The result of a refresh, or its code. */
async function refresh(
  at: Instance,
  { refreshToken }: LoginResult,
  key?: DpopKey,
  ip = HOME,
): Promise<LoginResult | string> {
  try {
    return await at.sessions.refresh(refreshToken ?? '', { ip, dpop: key && proven(key) });
  } catch (error) {
    if (!(error instanceof AuthException)) throw error;
    return error.code;
  }
}

describeOn(databaseKinds, 'TB-03: a bound session', (kind) => {
  beforeEach(async () => {
    database = await kind.migrated();
    clock = new TestClock();
    here = await start({ binding: BINDING });
    there = await start({ binding: BINDING });
  });

  it('a bound session stays bound to its key and its network on every instance, from one refresh to the next', async () => {
    const key = new DpopKey();
    let pair: LoginResult = await login(here, key);
    for (const at of [there, here, there]) {
      expect(await refresh(at, pair, new DpopKey())).toBe('refresh_token_invalid');
      expect(await refresh(at, pair)).toBe('refresh_token_invalid');
      expect(await refresh(at, pair, key, AWAY)).toBe('binding_mismatch');
      const next = await refresh(at, pair, key);
      expect(next).toMatchObject({ tokenType: 'DPoP' });
      pair = next as LoginResult;
      expect(claimsIn(pair.accessToken)).toMatchObject({
        cnf: { jkt: key.jkt, net: expect.stringMatching(/^[\w-]{22}$/) },
      });
    }
  });

  it('a late retry with the key of the session gets the same successor, also on the other instance', async () => {
    const key = new DpopKey();
    const pair = await login(here, key);
    const lost = (await refresh(here, pair, key)) as LoginResult;
    clock.advance(3_600_000);
    const again = (await refresh(there, pair, key)) as LoginResult;
    expect(again.refreshToken).toBe(lost.refreshToken);
  });
});

describe('a session', () => {
  beforeEach(async () => {
    database = await sqlite.migrated();
    clock = new TestClock();
  });

  it('a session that two clients bind at once belongs to the first one', async () => {
    const [first, second] = [new DpopKey(), new DpopKey()];
    let meanwhile: (() => Promise<unknown>) | undefined;
    here = await start({
      binding: BINDING,
      claims: async (_subject, { on }) => {
        const act = on === 'refresh' ? meanwhile : undefined;
        meanwhile = undefined;
        await act?.();
        return {};
      },
    });
    const pair = await login(here);
    let winner: LoginResult | string = 'nothing';
    meanwhile = async () => (winner = await refresh(here, pair, first));
    expect(await refresh(here, pair, second)).toBe('refresh_token_invalid');
    expect(winner).toMatchObject({ tokenType: 'DPoP' });
    expect(await refresh(here, winner as unknown as LoginResult, first)).toMatchObject({
      tokenType: 'DPoP',
    });
  });

  it('a session without a proof is refused a refresh where one is required, and loses nothing', async () => {
    here = await start({});
    const pair = await login(here);
    there = await start({ binding: { dpop: 'required' } });
    expect(await there.judge(pair.accessToken)).toBe('binding_mismatch');
    expect(await refresh(there, pair)).toBe('dpop_proof_required');
    expect(await refresh(there, pair, new DpopKey())).toMatchObject({ tokenType: 'DPoP' });
  });

  it('a session is no longer bound when the option is off, and bound again by its next refresh when it is on', async () => {
    const key = new DpopKey();
    here = await start({ binding: BINDING });
    there = await start({});
    const pair = await login(here, key);
    expect(await there.judge(pair.accessToken)).toBe('active');
    const plain = (await refresh(there, pair, undefined, AWAY)) as LoginResult;
    expect(claimsIn(plain.accessToken)).not.toHaveProperty('cnf');
    expect(await refresh(here, plain)).toBe('refresh_token_invalid');
    expect(await refresh(here, plain, key)).toMatchObject({ tokenType: 'DPoP' });
  });

  it('the session of a login without an address is refused where addresses are bound', async () => {
    here = await start({ binding: { ip: 'exact' } });
    const asked = here.sessions.login(() => ({ subject: 'alice' }));
    await expect(asked).rejects.toMatchObject({ code: 'binding_mismatch' });
  });
});
