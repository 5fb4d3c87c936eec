import { describe, expect, it } from '@jest/globals';
import { SessionService } from 'nestjs-logout';
import { useBothPlatforms } from '../support/http-both.js';
import { type HttpAnswer, type HttpRequestInit, PASSWORD } from '../support/http-client.js';

const ACCESS = '__Host-access';
const CREDENTIALS = { username: 'alice', password: PASSWORD };

const REFUSED: readonly Record<string, string>[] = [
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': 'cross-site', origin: 'null' },
  { origin: 'https://evil.example' },
];

const both = useBothPlatforms({ http: { cookies: { origins: ['https://app.example.com'] } } });

describe('requests from another site’s page', () => {
  const OWN = '<own>';
  const MATRIX: readonly (readonly [Record<string, string>, boolean])[] = [
    [{}, true],
    [{ 'sec-fetch-site': 'same-origin' }, true],
    [{ 'sec-fetch-site': 'none' }, true],
    [{ 'sec-fetch-site': 'same-site' }, false],
    [{ 'sec-fetch-site': 'cross-site' }, false],
    [{ 'sec-fetch-site': 'anything' }, false],
    [{ origin: OWN }, true],
    [{ origin: OWN, 'sec-fetch-site': 'cross-site' }, false],
    [{ origin: 'https://evil.example' }, false],
    [{ origin: 'null' }, false],
    [{ origin: 'not an origin' }, false],
    [{ origin: 'http://127.0.0.1:1' }, false],
    [{ origin: 'https://app.example.com' }, true],
    [{ origin: 'https://app.example.com', 'sec-fetch-site': 'same-site' }, true],
    [{ origin: 'http://app.example.com', 'sec-fetch-site': 'same-site' }, false],
    [{ origin: 'https://app.example.com.evil.example', 'sec-fetch-site': 'cross-site' }, false],
  ];
  const CALLS: readonly (readonly [string, number])[] = [
    ['POST /auth/login', 200],
    ['POST /auth/refresh', 200],
    ['POST /auth/logout', 204],
    ['POST /auth/logout-others', 204],
    ['POST /auth/logout-all', 204],
    ['DELETE /auth/sessions/unknown', 404],
    ['POST /orders', 201],
    ['GET /me', 200],
  ];

  it.each(CALLS)('another site’s page is refused: %s', async (call, good) => {
    for (const { client: to } of both.apps) {
      let cookies = await to.loginWithCookies();
      for (const [given, allowed] of MATRIX) {
        const headers = Object.fromEntries(
          Object.entries(given).map(([name, value]) => [name, value === OWN ? to.url : value]),
        );
        const json = call.endsWith('login') ? CREDENTIALS : undefined;
        const answer = await to.send(call, { cookies, headers, json });
        const isGood = allowed || call.startsWith('GET');
        expect([given, answer.status]).toEqual([given, isGood ? good : 403]);
        if (isGood) {
          // It may have ended or replaced the tokens.
          cookies = await to.loginWithCookies();
          continue;
        }
        expect(answer.body).toMatchObject({ code: 'csrf_refused' });
        expect([answer.cookies, answer.headers['cache-control']]).toEqual([[], 'no-store']);
        expect((await to.send('GET /me', { cookies })).status).toBe(200);
      }
    }
  });

  it.each<[string, HttpRequestInit]>([
    ['nothing', {}],
    ['an empty form', { form: '' }],
    ['a form with an unknown refresh token', { form: 'refresh_token=garbage' }],
    ['an unknown access token', { token: 'garbage' }],
  ])(
    'a logout without the cookies, which SameSite held back, is refused from another site’s page, with %s',
    async (_, init) => {
      for (const headers of REFUSED) {
        const answer = await both.answer((to) =>
          to.send('POST /auth/logout', { ...init, headers }),
        );
        expect([headers, answer.status, answer.cookies]).toEqual([headers, 403, []]);
        expect(answer.body).toMatchObject({ code: 'csrf_refused' });
      }
      // A page of our own gets the answer, and loses the cookies that it may have.
      const headers = { 'sec-fetch-site': 'same-origin' };
      const own = await both.answer((to) => to.send('POST /auth/logout', { ...init, headers }));
      expect([own.status, own.cookies.length]).toEqual([401, 2]);
    },
  );

  it.each(['POST /auth/logout-others', 'POST /auth/logout-all', 'DELETE /auth/sessions/unknown'])(
    '%s without the cookies clears no cookies',
    async (call) => {
      for (const headers of REFUSED) {
        const answer = await both.answer((to) => to.send(call, { headers }));
        expect([answer.status, answer.cookies]).toEqual([401, []]);
      }
    },
  );

  it.each(['POST /auth/logout', 'POST /auth/logout-all', 'DELETE /auth/sessions/<own>'])(
    '%s with a token of another page in the header clears no cookies of this browser',
    async (call) => {
      for (const headers of REFUSED) {
        const answer = await both.answer(async (to, { app }) => {
          const sessions = app.get(SessionService);
          const login = await sessions.login(() => ({ subject: 'bob' }));
          const [token, id] = [login?.accessToken, login?.sessionId ?? ''];
          const refused = await to.send(call.replace('<own>', id), { token, headers });
          expect((await to.send('GET /me', { token })).status).toBe(200);
          return refused;
        });
        expect([answer.status, answer.cookies]).toEqual([403, []]);
      }
    },
  );

  it('a token in the header needs no origin check, because no browser adds it by itself', async () => {
    for (const { client: to } of both.apps) {
      const { [ACCESS]: token } = await to.loginWithCookies();
      const headers = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
      expect((await to.send('POST /orders', { token, headers })).status).toBe(201);
    }
  });
});

describe.each([true, false])('behind a proxy, trustProxy %s', (trustProxy) => {
  const proxied = useBothPlatforms({ trustProxy, http: { cookies: true } });

  it.each([
    ['one proxy', 'app.example.com'],
    ['two proxies', 'app.example.com, inner.local'],
  ])('an own page is recognised by the host that its browser sent: %s', async (_, forwarded) => {
    const login = (origin: string): Promise<HttpAnswer> =>
      proxied.answer((to) =>
        to.send('POST /auth/login', {
          json: CREDENTIALS,
          headers: { origin, 'x-forwarded-host': forwarded },
        }),
      );
    expect((await login('https://app.example.com')).status).toBe(trustProxy ? 200 : 403);
    expect((await login('https://inner.local')).status).toBe(403);
  });
});
