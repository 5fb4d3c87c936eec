import { describe, expect, it } from '@jest/globals';
import { AuthEvents, JwtAuthGuard, TokenService } from 'nestjs-logout';
import { DpopKey } from '../support/dpop-key.js';
import type { HttpApp } from '../support/http-app.js';
import { useBothPlatforms } from '../support/http-both.js';
import { type HttpAnswer, type HttpClient, PASSWORD, type Pair } from '../support/http-client.js';

async function login(to: HttpClient, key: DpopKey, now: number, username: string): Promise<Pair> {
  const dpop = key.proof('POST', `${to.url}/auth/login`, { now });
  const json = { username, password: PASSWORD };
  return (await to.send('POST /auth/login', { json, headers: { dpop } })).body as Pair;
}

describe('binding.dpop with a guard of all routes and a guard of the route', () => {
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

  it('two resolvers of one request may use its proof at the same time', async () => {
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

  /** A thief binds the session of a stolen token to a key of his own. The owner comes five minutes later. */
  const steal = async (
    to: HttpClient,
    { clock }: HttpApp,
    meanwhile: string,
  ): Promise<string[]> => {
    const { refresh_token } = await to.login();
    const refresh = (key?: DpopKey): Promise<HttpAnswer> => {
      const dpop = key?.proof('POST', `${to.url}/auth/refresh`, { now: clock.wall() });
      const headers = dpop === undefined ? {} : { dpop };
      return to.send('POST /auth/refresh', { json: { refresh_token }, headers });
    };
    const thief = new DpopKey();
    const { access_token: token } = (await refresh(thief)).body as Pair;
    const asThief = (call: string): Promise<HttpAnswer> => {
      const [method = '', path = ''] = call.split(' ');
      const dpop = thief.proof(method, to.url + path, { now: clock.wall(), token });
      return to.send(call, { headers: { authorization: `DPoP ${token}`, dpop } });
    };
    // Within the grace it may be a retry, and the successor belongs to the key.
    const answers = [await asThief(meanwhile), await refresh()];
    clock.advance(300_000);
    answers.push(await refresh(), await asThief('GET /me'));
    return answers.map(({ status, body }) => String((body as { code?: string })?.code ?? status));
  };

  it('a thief who binds the session to another key is noticed at the owner’s next refresh', async () => {
    for (const app of both.apps) {
      expect(await steal(app.client, app, 'GET /me')).toEqual([
        '200',
        'refresh_token_invalid',
        'refresh_token_reused',
        'session_ended',
      ]);
    }
  });

  it('a thief who logs out as well does not hide the theft', async () => {
    for (const app of both.apps) {
      const reuses: unknown[] = [];
      const events = app.app.get(AuthEvents).subscribe(({ reuse }) => reuses.push(reuse));
      expect((await steal(app.client, app, 'POST /auth/logout')).slice(2)).toEqual([
        'session_ended',
        'session_ended',
      ]);
      events.unsubscribe();
      expect(reuses).toContain('after_end');
    }
  });
});
