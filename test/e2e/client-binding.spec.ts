import { describe, expect, it } from '@jest/globals';
import { request as openRequest } from 'node:http';
import { createSecretKey, randomBytes } from 'node:crypto';
import {
  type AuthEvent,
  AuthEvents,
  type AuthKeyOptions,
  JwtStrategy,
  KeyService,
  TokenService,
} from 'nestjs-logout';
import { useBothPlatforms } from '../support/http-both.js';
import { type HttpAnswer, type HttpClient, PASSWORD, type Pair } from '../support/http-client.js';

const HOME = '203.0.113.7';
const NEIGHBOUR = '203.0.113.8';
const AWAY = '198.51.100.9';
/** The proxy that the server sees, and the one before it. */
const PROXY = '127.0.0.1';
const INNER = '192.0.2.1';

const MISMATCH = { status: 401, body: { code: 'binding_mismatch' } };

/** What a client at an address sends through a proxy, which adds the address that it sees. */
const from = (...addresses: string[]): Readonly<Record<string, string>> => ({
  'x-forwarded-for': addresses.join(', '),
});

async function login(to: HttpClient, headers: object, more: object = {}): Promise<Pair> {
  const answer = await to.send('POST /auth/login', {
    json: { username: 'alice', password: PASSWORD, ...more },
    headers: { ...headers },
  });
  if (answer.status === 200) return answer.body as Pair;
  throw new Error(`login answered ${answer.status}: ${JSON.stringify(answer.body)}`);
}

const me = (to: HttpClient, { access_token }: Pair, headers: object): Promise<HttpAnswer> =>
  to.send('GET /me', { token: access_token, headers: { ...headers } });

const refresh = (to: HttpClient, { refresh_token }: Pair, headers: object): Promise<HttpAnswer> =>
  to.send('POST /auth/refresh', { json: { refresh_token }, headers: { ...headers } });

/** From another address of this host: no proxy is needed for that. */
function sendFrom(
  localAddress: string,
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ status: number | undefined; code: unknown }> {
  return new Promise((resolve, reject) => {
    const sent = openRequest(url, { localAddress, headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (bytes: Buffer) => (text += bytes.toString()));
      response.on('end', () => {
        const { code } = JSON.parse(text) as { code?: unknown };
        resolve({ status: response.statusCode, code });
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('TB-01: ip check, behind one proxy', () => {
  const both = useBothPlatforms({ trustProxy: [PROXY], options: { binding: { ip: 'exact' } } });

  it('a token is accepted at the address of its login, in every spelling of the address', async () => {
    await both.answer(async (to) => {
      const pair = await login(to, from(HOME));
      for (const spelt of [HOME, `::ffff:${HOME}`, '::ffff:cb00:7107']) {
        expect(await me(to, pair, from(spelt))).toMatchObject({ status: 200 });
      }
      return me(to, pair, from(HOME));
    });
  });

  it('a token is refused at every other address, also once it is remembered', async () => {
    const answer = await both.answer(async (to) => {
      const pair = await login(to, from(HOME));
      for (let i = 0; i < 3; i++) await me(to, pair, from(HOME));
      expect(await me(to, pair, from(NEIGHBOUR))).toMatchObject(MISMATCH);
      expect(await me(to, pair, from(HOME))).toMatchObject({ status: 200 });
      return me(to, pair, from(AWAY));
    });
    expect(answer).toMatchObject(MISMATCH);
    expect(answer.headers['www-authenticate']).toContain(
      'Bearer realm="api", error="invalid_token"',
    );
  });

  it('a spoofed X-Forwarded-For does not help: the proxy adds the address that it sees', async () => {
    const answer = await both.answer(async (to) => {
      const pair = await login(to, from(HOME));
      expect(await refresh(to, pair, from(HOME, AWAY))).toMatchObject(MISMATCH);
      return me(to, pair, from(HOME, AWAY));
    });
    expect(answer).toMatchObject(MISMATCH);
  });

  it('a refresh from another address is refused, consumes nothing, and ends nothing', async () => {
    await both.answer(async (to) => {
      const pair = await login(to, from(HOME));
      expect(await refresh(to, pair, from(AWAY))).toMatchObject(MISMATCH);
      const next = await refresh(to, pair, from(HOME));
      expect(next).toMatchObject({ status: 200 });
      expect(await me(to, next.body as Pair, from(AWAY))).toMatchObject(MISMATCH);
      return me(to, next.body as Pair, from(HOME));
    });
  });

  it('AuthEvents reports what another client tried to use, without its address', async () => {
    await both.answer(async (to, { app }) => {
      const type = 'binding_mismatch';
      const events: AuthEvent[] = [];
      const about = app.get(AuthEvents);
      const subscription = about.subscribe((event) => events.push(event));
      const pair = await login(to, from(HOME));
      await me(to, pair, from(HOME));
      await me(to, pair, from(AWAY));
      await refresh(to, pair, from(AWAY));
      await expect(app.get(TokenService).verify(pair.access_token)).rejects.toMatchObject({
        code: type,
      });
      subscription.unsubscribe();
      const [{ session } = {}, ...mismatches] = events;
      const subject = about.subjectHash('alice');
      const one = { type, reason: type, at: expect.any(Date), subject, session };
      expect(mismatches).toEqual([one, one, one]);
      expect(session).toEqual(expect.any(String));
      return me(to, pair, from(HOME));
    });
  });

  it('an address that cannot be read is a refusal, not a pass', async () => {
    const answer = await both.answer(async (to) => {
      const pair = await login(to, from(HOME));
      expect(await me(to, pair, from('unknown'))).toMatchObject(MISMATCH);
      expect(await refresh(to, pair, from('unknown'))).toMatchObject(MISMATCH);
      return to.send('POST /auth/login', {
        json: { username: 'alice', password: PASSWORD },
        headers: from('unknown'),
      });
    });
    expect(answer).toMatchObject(MISMATCH);
  });

  it('a user whose address has changed can still log out', async () => {
    const answer = await both.answer(async (to) => {
      const pair = await login(to, from(HOME));
      await to.send('POST /auth/logout', { token: pair.access_token, headers: from(AWAY) });
      return me(to, pair, from(HOME));
    });
    expect(answer).toMatchObject({ status: 401, body: { code: 'session_ended' } });
  });

  it('neither the token nor the database holds the address', async () => {
    for (const { client, sql } of both.apps) {
      const { access_token } = await login(client, from(HOME));
      const [, payload = ''] = access_token.split('.');
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
      const rows = JSON.stringify([claims, await sql('SELECT * FROM auth_session')]);
      expect(claims).toMatchObject({ cnf: { ip: expect.stringMatching(/^[\w-]{22}$/) } });
      expect(rows).not.toContain(HOME);
    }
  });

  it('no other strategy of a chain is asked after a wrong address, because the refusal is an error', async () => {
    for (const { client, app } of both.apps) {
      const { access_token } = await login(client, from(HOME));
      const request = { headers: { authorization: `Bearer ${access_token}` }, ip: AWAY };
      const demand = { allowExpired: false, freshness: undefined, whenStale: undefined };
      const outcome = await app.get(JwtStrategy).outcomeOf(request, demand);
      expect(outcome).toMatchObject({ error: { code: 'binding_mismatch' }, user: undefined });
    }
  });

  it('TokenService.verify needs the request of a bound token, and verifyRequest its address', async () => {
    for (const { client, app } of both.apps) {
      const { access_token } = await login(client, from(HOME));
      const tokens = app.get(TokenService);
      const headers = { authorization: `Bearer ${access_token}` };
      const refused = expect.objectContaining({ code: 'binding_mismatch' });
      await expect(tokens.verify(access_token)).rejects.toEqual(refused);
      await expect(tokens.verifyRequest({ headers })).rejects.toEqual(refused);
      await expect(tokens.verifyRequest({ headers, ip: AWAY })).rejects.toEqual(refused);
      const good = [
        await tokens.verify(access_token, { ignoreBinding: true }),
        await tokens.verify(access_token, { request: { headers: {}, ip: HOME } }),
        await tokens.verifyRequest({ headers, ip: HOME }),
      ];
      expect(good.map(({ sub }) => sub)).toEqual(['alice', 'alice', 'alice']);
    }
  });
});

describe('ip check, behind two proxies', () => {
  const both = useBothPlatforms({
    trustProxy: [PROXY, INNER],
    options: { binding: { ip: 'exact' } },
  });

  it('the address is the one that the outer proxy saw', async () => {
    const answer = await both.answer(async (to) => {
      const pair = await login(to, from(HOME, INNER));
      expect(await me(to, pair, from(HOME, INNER))).toMatchObject({ status: 200 });
      expect(await me(to, pair, from('spoofed', HOME, INNER))).toMatchObject({ status: 200 });
      return me(to, pair, from(HOME, AWAY, INNER));
    });
    expect(answer).toMatchObject(MISMATCH);
  });
});

describe('ip check, without a proxy', () => {
  const both = useBothPlatforms({ options: { binding: { ip: 'exact' } } });

  it('the address is that of the connection, and no header changes it', async () => {
    for (const { client } of both.apps) {
      const pair = await login(client, from(HOME));
      const headers = { authorization: `Bearer ${pair.access_token}` };
      const url = `${client.url}/me`;
      expect(await me(client, pair, from(AWAY))).toMatchObject({ status: 200 });
      const there = { ...headers, ...from('127.0.0.1') };
      expect(await sendFrom('127.0.0.2', url, there)).toEqual({
        status: 401,
        code: 'binding_mismatch',
      });
    }
  });
});

describe('ip check by network', () => {
  const both = useBothPlatforms({ trustProxy: [PROXY], options: { binding: { ip: 'network' } } });

  it.each([
    [HOME, NEIGHBOUR, AWAY],
    ['2001:db8:1:2::7', '2001:db8:1:2:ffff::8', '2001:db8:1:3::7'],
  ])('a token of %s is accepted at %s, and not at %s', async (home, neighbour, away) => {
    const answer = await both.answer(async (to) => {
      const pair = await login(to, from(home));
      expect(await me(to, pair, from(neighbour))).toMatchObject({ status: 200 });
      expect(await me(to, pair, from(away))).toMatchObject(MISMATCH);
      const next = await refresh(to, pair, from(neighbour));
      expect(await refresh(to, next.body as Pair, from(away))).toMatchObject(MISMATCH);
      return me(to, next.body as Pair, from(home));
    });
    expect(answer).toMatchObject({ status: 200 });
  });
});

describe('client type and device check', () => {
  const both = useBothPlatforms({
    trustProxy: [PROXY],
    options: { binding: { ip: 'network', clients: { kiosk: { ip: 'exact' }, tv: { ip: 'off' } } } },
  });
  const codeAt = async (
    to: HttpClient,
    client: string | undefined,
    at: string,
  ): Promise<unknown> => {
    const pair = await login(to, from(HOME), client === undefined ? {} : { client });
    const { status, body } = await me(to, pair, from(at));
    return status === 200 ? 200 : (body as { code: string }).code;
  };

  it.each([
    ['no client name', undefined, 200, 'binding_mismatch'],
    ['a name without a rule', 'web', 200, 'binding_mismatch'],
    ['a stricter rule', 'kiosk', 'binding_mismatch', 'binding_mismatch'],
    ['a rule that is off', 'tv', 200, 200],
    ['a phone, which moves', 'phone', 200, 200],
  ])('a token of a client with %s is bound by its rule: %s', async (_, client, neighbour, away) => {
    for (const { client: to } of both.apps) {
      expect(await codeAt(to, client, NEIGHBOUR)).toBe(neighbour);
      expect(await codeAt(to, client, AWAY)).toBe(away);
    }
  });

  it('a refresh token is accepted from the client that logged in, and from no other', async () => {
    const answer = await both.answer(async (to) => {
      const { refresh_token } = await login(to, from(HOME), { client: 'tv' });
      const asOther = { json: { refresh_token, client: 'web' }, headers: from(HOME) };
      expect(await to.send('POST /auth/refresh', asOther)).toMatchObject({
        status: 401,
        body: { code: 'refresh_token_invalid' },
      });
      const asTv = { json: { refresh_token, client: 'tv' }, headers: from(HOME) };
      return to.send('POST /auth/refresh', asTv);
    });
    expect(answer).toMatchObject({ status: 200 });
  });
});

describe('ip check after a change of keys', () => {
  const secretOf = (kid: string): AuthKeyOptions => ({
    kid,
    alg: 'HS256',
    secret: createSecretKey(randomBytes(32)),
  });
  const [first, second, third] = ['a', 'b', 'c'].map(secretOf) as [
    AuthKeyOptions,
    AuthKeyOptions,
    AuthKeyOptions,
  ];
  const listed: AuthKeyOptions[] = [];
  const both = useBothPlatforms({
    trustProxy: [PROXY],
    keys: () => (listed.length === 0 ? [first] : listed),
    options: { binding: { ip: 'exact' } },
  });

  it('tokens and sessions stay bound while the key is known and after that', async () => {
    for (const { client: to, app, clock } of both.apps) {
      const change = async (...keys: AuthKeyOptions[]): Promise<void> => {
        listed.splice(0, listed.length, ...keys);
        await app.get(KeyService).reload();
      };
      await change(first);
      const pair = await login(to, from(HOME));
      await change(second, first);
      expect(await me(to, pair, from(HOME))).toMatchObject({ status: 200 });
      expect(await me(to, pair, from(AWAY))).toMatchObject(MISMATCH);
      await change(second);
      expect(await refresh(to, pair, from(NEIGHBOUR))).toMatchObject(MISMATCH);
      // Retired for so long that the ring forgets it.
      clock.advance(3_600_000);
      await change(third);
      expect(await refresh(to, pair, from(AWAY))).toMatchObject(MISMATCH);
      const next = await refresh(to, pair, from(HOME));
      expect(next).toMatchObject({ status: 200 });
      expect(await refresh(to, next.body as Pair, from(NEIGHBOUR))).toMatchObject(MISMATCH);
    }
  });
});
