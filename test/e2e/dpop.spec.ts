import { describe, expect, it } from '@jest/globals';
import { type AuthEvent, AuthEvents, TokenService } from 'nestjs-logout';
import { codeOf, DpopClient, LOGIN } from '../support/dpop-client.js';
import { DpopKey } from '../support/dpop-key.js';
import { useBothPlatforms } from '../support/http-both.js';
import { cookiesOf, type HttpAnswer, type Pair } from '../support/http-client.js';

const HOUR = 3_600_000;

describe('binding.dpop', () => {
  const both = useBothPlatforms({ options: { binding: { dpop: 'optional' } } });

  it('a login with a proof returns tokens that are bound to its key and accepted with a proof', async () => {
    const answer = await both.answer(async (to, app) => {
      const client = new DpopClient(to, app);
      const pair = await client.login();
      expect(pair).toMatchObject({ token_type: 'DPoP' });
      const claims = await app.app
        .get(TokenService)
        .verify(pair.access_token, { ignoreBinding: true });
      expect(claims).toMatchObject({ cnf: { jkt: client.key.jkt } });
      return client.me(pair.access_token);
    });
    expect(answer).toMatchObject({ status: 200, body: { sub: 'alice' } });
  });

  it('a login without a proof returns bearer tokens, which need no proof', async () => {
    const answer = await both.answer(async (to) => {
      const pair = await to.login();
      expect(pair).toMatchObject({ token_type: 'Bearer' });
      const { refresh_token } = pair;
      const next = await to.send('POST /auth/refresh', { json: { refresh_token } });
      return to.send('GET /me', { token: (next.body as Pair).access_token });
    });
    expect(answer).toMatchObject({ status: 200 });
  });

  it('a confirmed login keeps the key of its session', async () => {
    const answer = await both.answer(async (to, app) => {
      const client = new DpopClient(to, app);
      const { access_token: token } = await client.login();
      const dpop = client.proof('POST /auth/confirm', { token });
      const headers = { authorization: `DPoP ${token}`, dpop };
      const confirmed = await to.send('POST /auth/confirm', { json: LOGIN, headers });
      expect(confirmed).toMatchObject({ status: 200, body: { token_type: 'DPoP' } });
      const { access_token: fresh } = confirmed.body as Pair;
      expect(codeOf(await to.send('GET /me', { token: fresh }))).toBe('401 binding_mismatch');
      return client.me(fresh);
    });
    expect(answer).toMatchObject({ status: 200, body: { sub: 'alice' } });
  });

  it('a bearer token that is sent as DPoP is refused', async () => {
    const answer = await both.answer(async (to, app) =>
      new DpopClient(to, app).me((await to.login()).access_token),
    );
    expect(codeOf(answer)).toBe('401 binding_mismatch');
  });

  it('a bound token that is sent as Bearer is refused, with and without a proof', async () => {
    const answer = await both.answer(async (to, app) => {
      const client = new DpopClient(to, app);
      const { access_token: token } = await client.login();
      const proof = client.proof('GET /me', { token });
      const events: AuthEvent[] = [];
      const subscription = app.app.get(AuthEvents).subscribe((event) => events.push(event));
      expect(codeOf(await client.me(token, proof, 'Bearer'))).toBe('401 binding_mismatch');
      const other = new DpopKey().proof('GET', client.url('/me'), { token, now: client.now() });
      expect(codeOf(await client.me(token, other))).toBe('401 binding_mismatch');
      subscription.unsubscribe();
      expect(events.map(({ type }) => type)).toEqual(['binding_mismatch', 'binding_mismatch']);
      return to.send('GET /me', { token });
    });
    expect(codeOf(answer)).toBe('401 binding_mismatch');
    expect(answer.headers['www-authenticate']).toMatch(/^DPoP error="invalid_token".*algs="ES256 /);
  });

  const attacks: [string, string, (client: DpopClient, token: string) => Promise<HttpAnswer>][] = [
    ['no proof', 'dpop_proof_invalid', (client, token) => client.me(token, '')],
    ['garbage', 'dpop_proof_invalid', (client, token) => client.me(token, 'x.y.z')],
    [
      'a proof of 9 kB',
      'dpop_proof_invalid',
      (client, token) => client.me(token, 'x'.repeat(9_000)),
    ],
    [
      'two proofs',
      'dpop_proof_invalid',
      (client, token) => {
        const proof = (): string => client.proof('GET /me', { token });
        return client.me(token, `${proof()}, ${proof()}`);
      },
    ],
    [
      'a proof of another URL',
      'dpop_proof_invalid',
      (client, token) => client.me(token, client.proof('GET /greeting', { token })),
    ],
    [
      'a proof of another method',
      'dpop_proof_invalid',
      (client, token) => client.me(token, client.proof('POST /me', { token })),
    ],
    [
      'a proof for another token',
      'dpop_proof_invalid',
      (client, token) => client.me(token, client.proof('GET /me', { token: 'another' })),
    ],
    [
      'a proof of another key',
      'binding_mismatch',
      (client, token) => {
        const { jwk } = client.key;
        const now = client.now();
        const other = new DpopKey();
        expect(other.jwk).not.toEqual(jwk);
        return client.me(token, other.proof('GET', client.url('/me'), { token, now }));
      },
    ],
    [
      'a proof of the future',
      'dpop_proof_invalid',
      (client, token) =>
        client.me(token, client.proof('GET /me', { token, now: client.now() + 20_000 })),
    ],
    [
      'an old proof',
      'dpop_proof_invalid',
      (client, token) =>
        client.me(token, client.proof('GET /me', { token, now: client.now() - 20_000 })),
    ],
    [
      'a proof that was used',
      'dpop_proof_invalid',
      async (client, token) => {
        const proof = client.proof('GET /me', { token });
        expect(await client.me(token, proof)).toMatchObject({ status: 200 });
        return client.me(token, proof);
      },
    ],
  ];

  it.each(attacks)('%s: 401 %s', async (_, code, attack) => {
    const answer = await both.answer(async (to, app) => {
      const client = new DpopClient(to, app);
      const { access_token: token } = await client.login();
      const refused = await attack(client, token);
      expect(await client.me(token)).toMatchObject({ status: 200 });
      return refused;
    });
    expect(codeOf(answer)).toBe(`401 ${code}`);
    const error = code === 'binding_mismatch' ? 'invalid_token' : 'invalid_dpop_proof';
    expect(answer.headers['www-authenticate']).toContain(`DPoP error="${error}"`);
  });

  it('a login with a bad proof is refused before the password is looked at', async () => {
    const answer = await both.answer((to, app) =>
      new DpopClient(to, app).post('/auth/login', { ...LOGIN, password: 'wrong' }, { now: 0 }),
    );
    expect(codeOf(answer)).toBe('401 dpop_proof_invalid');
  });

  it('a refresh needs a proof of the key of the login, and any other proof consumes nothing', async () => {
    const answer = await both.answer(async (to, app) => {
      const client = new DpopClient(to, app);
      const pair = await client.login();
      const thief = new DpopClient(to, app);
      const { refresh_token } = pair;
      const refused = [
        await thief.refresh(pair),
        await to.send('POST /auth/refresh', { json: { refresh_token } }),
        await client.refresh(pair, { now: 0 }),
      ];
      expect(refused.map(codeOf)).toEqual([
        '401 refresh_token_invalid',
        '401 refresh_token_invalid',
        '401 dpop_proof_invalid',
      ]);
      const next = await client.refresh(pair);
      expect(next).toMatchObject({ status: 200, body: { token_type: 'DPoP' } });
      return client.me((next.body as Pair).access_token);
    });
    expect(answer).toMatchObject({ status: 200 });
  });

  it('a retry with the same key gets the same successor an hour after the grace, and no other client does', async () => {
    await both.answer(async (to, app) => {
      const client = new DpopClient(to, app);
      const pair = await client.login();
      const lost = await client.refresh(pair);
      app.clock.advance(HOUR);
      expect(codeOf(await new DpopClient(to, app).refresh(pair))).toBe('401 refresh_token_invalid');
      const again = await client.refresh(pair);
      expect(again).toMatchObject({ status: 200 });
      expect((again.body as Pair).refresh_token).toBe((lost.body as Pair).refresh_token);
      return client.me((again.body as Pair).access_token);
    });
  });

  it('a refresh with a proof binds a session that was not bound', async () => {
    const answer = await both.answer(async (to, app) => {
      const client = new DpopClient(to, app);
      const next = (await client.refresh(await to.login())).body as Pair;
      expect(next).toMatchObject({ token_type: 'DPoP' });
      expect(await client.me(next.access_token)).toMatchObject({ status: 200 });
      return new DpopClient(to, app).refresh(next);
    });
    expect(codeOf(answer)).toBe('401 refresh_token_invalid');
  });

  it('a logout needs no proof, because holding the token is enough', async () => {
    const answer = await both.answer(async (to, app) => {
      const client = new DpopClient(to, app);
      const { access_token: token } = await client.login();
      await to.send('POST /auth/logout', { token });
      return client.me(token);
    });
    expect(codeOf(answer)).toBe('401 session_ended');
  });

  it('the proof of a handshake is checked, and covers all messages of the socket', async () => {
    for (const app of both.apps) {
      const client = new DpopClient(app.client, app);
      const { access_token: token } = await client.login();
      const tokens = app.app.get(TokenService);
      const handshake = (dpop?: string): { headers: Record<string, string>; url: string } => ({
        url: '/socket?x=1',
        headers: {
          host: new URL(app.client.url).host,
          authorization: `DPoP ${token}`,
          ...(dpop === undefined ? {} : { dpop }),
        },
      });
      const socket = handshake(client.proof('GET /socket', { token }));
      for (let i = 0; i < 2; i++) {
        expect(await tokens.verifyRequest(socket)).toMatchObject({ sub: 'alice' });
        app.clock.advance(60_000);
      }
      await expect(tokens.verifyRequest(handshake())).rejects.toMatchObject({
        code: 'dpop_proof_invalid',
      });
      await expect(tokens.verify(token)).rejects.toMatchObject({ code: 'binding_mismatch' });
    }
  });
});

describe('binding.dpop with cookies', () => {
  const both = useBothPlatforms({
    http: { cookies: true },
    options: { binding: { dpop: 'optional' } },
  });

  it('a token in a cookie needs the proof too', async () => {
    const answer = await both.answer(async (to, app) => {
      const client = new DpopClient(to, app);
      const cookies = cookiesOf(await client.post('/auth/login', LOGIN));
      const token = cookies['__Host-access'] ?? '';
      expect(codeOf(await to.send('GET /me', { cookies }))).toBe('401 dpop_proof_invalid');
      const dpop = client.proof('GET /me', { token });
      return to.send('GET /me', { cookies, headers: { dpop } });
    });
    expect(answer).toMatchObject({ status: 200 });
  });
});

describe("binding.dpop: 'required'", () => {
  const both = useBothPlatforms({ options: { binding: { dpop: 'required' } } });

  it('a login without a proof is refused, and so is the token of a client without a key', async () => {
    const answer = await both.answer(async (to, app) => {
      const client = new DpopClient(to, app);
      const pair = await client.login();
      expect(await client.me(pair.access_token)).toMatchObject({ status: 200 });
      return to.send('POST /auth/login', { json: LOGIN });
    });
    expect(codeOf(answer)).toBe('400 dpop_proof_required');
  });
});

describe('binding.nonce', () => {
  const both = useBothPlatforms({ options: { binding: { dpop: 'optional', nonce: true } } });

  it('a proof without a nonce is refused with the nonce to use, which is valid for a while', async () => {
    const answer = await both.answer(async (to, app) => {
      const client = new DpopClient(to, app);
      const asked = await client.post('/auth/login', LOGIN);
      expect(codeOf(asked)).toBe('401 dpop_nonce_required');
      expect(asked.headers['www-authenticate']).toContain('DPoP error="use_dpop_nonce"');
      const claims = { nonce: asked.headers['dpop-nonce'] };
      const { access_token: token } = (await client.post('/auth/login', LOGIN, { claims }))
        .body as Pair;
      const me = (): Promise<HttpAnswer> =>
        client.me(token, client.proof('GET /me', { token, claims }));
      expect(await me()).toMatchObject({ status: 200 });
      app.clock.advance(300_000);
      expect(await me()).toMatchObject({ status: 200 });
      app.clock.advance(300_000);
      const late = await me();
      expect(late.headers['dpop-nonce']).not.toBe(claims.nonce);
      return { ...late, headers: {} };
    });
    expect(codeOf(answer)).toBe('401 dpop_nonce_required');
  });
});

describe('binding.dpop behind a proxy that ends TLS', () => {
  const both = useBothPlatforms({
    trustProxy: ['127.0.0.1'],
    options: { binding: { dpop: 'optional' } },
  });

  it('the URL of a proof is the one that the client used', async () => {
    const answer = await both.answer(async (to, { clock }) => {
      const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'api.example.com' };
      const key = new DpopKey();
      const now = clock.wall();
      const send = (url: string, more: object = {}): Promise<HttpAnswer> =>
        to.send('POST /auth/login', {
          json: LOGIN,
          headers: { ...headers, ...more, dpop: key.proof('POST', url, { now }) },
        });
      expect(codeOf(await send(`${to.url}/auth/login`))).toBe('401 dpop_proof_invalid');
      return send('https://api.example.com/auth/login');
    });
    expect(answer).toMatchObject({ status: 200, body: { token_type: 'DPoP' } });
  });
});
