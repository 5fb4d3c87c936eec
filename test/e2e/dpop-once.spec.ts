import { describe, expect, it } from '@jest/globals';
import { JwtAuthGuard, TokenService } from 'nestjs-logout';
import { DpopKey } from '../support/dpop-key.js';
import { useBothPlatforms } from '../support/http-both.js';
import { type HttpAnswer, type HttpClient, PASSWORD, type Pair } from '../support/http-client.js';

const HOUR = 3_600_000;

async function login(to: HttpClient, key: DpopKey, now: number, username: string): Promise<Pair> {
  const dpop = key.proof('POST', `${to.url}/auth/login`, { now });
  const json = { username, password: PASSWORD };
  return (await to.send('POST /auth/login', { json, headers: { dpop } })).body as Pair;
}

describe('binding.dpop where a guard of all routes meets a guard of the route', () => {
  const both = useBothPlatforms({
    options: { binding: { dpop: 'optional' } },
    configure: (app) => app.useGlobalGuards(app.get(JwtAuthGuard)),
  });

  const send = (to: HttpClient, call: string, token: string, dpop: string): Promise<HttpAnswer> =>
    to.send(call, {
      ...(call.startsWith('GET') ? {} : { json: { token } }),
      headers: { authorization: `DPoP ${token}`, dpop },
    });

  it.each(['GET /me', 'POST /auth/introspect'])(
    '%s: a request uses its proof once',
    async (call) => {
      const answer = await both.answer(async (to, { clock }) => {
        const key = new DpopKey();
        const now = clock.wall();
        const { access_token: token } = await login(to, key, now, 'admin');
        const [method = '', path = ''] = call.split(' ');
        const proof = key.proof(method, to.url + path, { now, token });
        const first = await send(to, call, token, proof);
        expect(await send(to, call, token, proof)).toMatchObject({
          status: 401,
          body: { code: 'dpop_proof_invalid' },
        });
        return { ...first, body: first.status === 200 ? {} : first.body };
      });
      expect(answer).toMatchObject({ status: 200 });
    },
  );

  it('two resolvers of one request may ask at once', async () => {
    for (const { app, client, clock } of both.apps) {
      const key = new DpopKey();
      const now = clock.wall();
      const { access_token: token } = await login(client, key, now, 'alice');
      const url = new URL(client.url);
      const request = (): { headers: Record<string, string>; url: string } => ({
        url: '/graphql',
        headers: {
          host: url.host,
          authorization: `DPoP ${token}`,
          dpop: key.proof('GET', `${url.origin}/graphql`, { now, token }),
        },
      });
      const [one, other] = [request(), request()];
      const tokens = app.get(TokenService);
      const ask = (from: object): Promise<string> =>
        tokens.verifyRequest(from as typeof one).then(
          ({ sub }) => sub,
          ({ code }: { code: string }) => code,
        );
      expect(await Promise.all([ask(one), ask(one)])).toEqual(['alice', 'alice']);
      const { access_token: foreign } = await login(client, new DpopKey(), now, 'bob');
      const asked = tokens.verify(foreign, { request: one as { headers: Record<string, string> } });
      await expect(asked).rejects.toMatchObject({ code: 'dpop_proof_invalid' });
      expect(await ask(one)).toBe('alice');
      const races = await Promise.all([ask(other), ask({ ...other })]);
      expect(races.sort()).toEqual(['alice', 'dpop_proof_invalid']);
    }
  });
});

describe('binding.dpop and a stolen refresh token', () => {
  const both = useBothPlatforms({ options: { binding: { dpop: 'optional' } } });

  it('a thief who binds the session to a key of his own is found out by the owner', async () => {
    const answer = await both.answer(async (to, { clock }) => {
      const { refresh_token } = await to.login();
      const refresh = (key?: DpopKey): Promise<HttpAnswer> => {
        const dpop = key?.proof('POST', `${to.url}/auth/refresh`, { now: clock.wall() });
        const headers = dpop === undefined ? {} : { dpop };
        return to.send('POST /auth/refresh', { json: { refresh_token }, headers });
      };
      const thief = new DpopKey();
      const stolen = (await refresh(thief)).body as Pair;
      expect(stolen).toMatchObject({ token_type: 'DPoP' });
      // Within the grace it may be a retry, and the successor belongs to the key.
      expect(await refresh()).toMatchObject({ body: { code: 'refresh_token_invalid' } });
      clock.advance(HOUR / 12);
      expect(await refresh()).toMatchObject({ body: { code: 'refresh_token_reused' } });
      const { access_token: token } = stolen;
      const dpop = thief.proof('GET', `${to.url}/me`, { now: clock.wall(), token });
      return to.send('GET /me', { headers: { authorization: `DPoP ${token}`, dpop } });
    });
    expect(answer).toMatchObject({ status: 401, body: { code: 'session_ended' } });
  });
});
