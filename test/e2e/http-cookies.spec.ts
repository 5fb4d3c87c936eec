import { describe, expect, it } from '@jest/globals';
import { type HttpApp, startBothHttp } from '../support/http-app.js';
import { useBothPlatforms } from '../support/http-both.js';
import { cookiesOf, type HttpAnswer, type HttpClient, PASSWORD } from '../support/http-client.js';
import { mintToken } from '../support/mint-token.js';

const ACCESS = '__Host-access';
const REFRESH = '__Host-refresh';
const KEPT = 'Path=/; HttpOnly; Secure; SameSite=Strict';
const CREDENTIALS = { username: 'alice', password: PASSWORD };
const CLEARED = [`${ACCESS}=; Max-Age=0; ${KEPT}`, `${REFRESH}=; Max-Age=0; ${KEPT}`];

const both = useBothPlatforms({ http: { cookies: true } });

describe('the exact cookies', () => {
  const SET = [
    `${ACCESS}=<access>; Max-Age=1209600; ${KEPT}`,
    `${REFRESH}=<refresh>; Max-Age=1209600; ${KEPT}`,
  ];
  const BODY = {
    expires_in: 0,
    refresh_expires_in: 1_209_600,
    idle_expires_in: 1_209_600,
    session_expires_in: 2_592_000,
    refresh_at: '<time>',
    session_id: '<id>',
  };

  it('at login; no token is in the body', async () => {
    const answer = await both.answer((to) => to.send('POST /auth/login', { json: CREDENTIALS }));
    expect(answer).toMatchObject({ status: 200, cookies: SET });
    expect(answer.body).toEqual(BODY);
  });

  it('at refresh; no token is in the body', async () => {
    const answer = await both.answer(async (to) =>
      to.send('POST /auth/refresh', { cookies: await to.loginWithCookies() }),
    );
    expect(answer).toMatchObject({ status: 200, cookies: SET });
    expect(answer.body).toEqual(BODY);
  });

  it.each<[string, (to: HttpClient, cookies: Record<string, string>) => Promise<HttpAnswer>]>([
    ['logout', (to, cookies) => to.send('POST /auth/logout', { cookies })],
    [
      'logout by the refresh cookie alone',
      (to, cookies) =>
        to.send('POST /auth/logout', { cookies: { [REFRESH]: cookies[REFRESH] ?? '' } }),
    ],
    [
      'logout by the access cookie alone',
      (to, cookies) =>
        to.send('POST /auth/logout', { cookies: { [ACCESS]: cookies[ACCESS] ?? '' } }),
    ],
    [
      'logout, repeated',
      async (to, cookies) => {
        await to.send('POST /auth/logout', { cookies });
        return to.send('POST /auth/logout', { cookies });
      },
    ],
    [
      'logout with a header that is not a token',
      (to, cookies) =>
        to.send('POST /auth/logout', {
          token: 'a'.repeat(8_193),
          cookies: { [REFRESH]: cookies[REFRESH] ?? '' },
        }),
    ],
    [
      'logout with a refresh cookie that is not a token',
      (to, cookies) =>
        to.send('POST /auth/logout', {
          cookies: { [ACCESS]: cookies[ACCESS] ?? '', [REFRESH]: 'a'.repeat(8_193) },
        }),
    ],
    ['logout-all', (to, cookies) => to.send('POST /auth/logout-all', { cookies })],
    [
      'ending the own session',
      async (to, cookies) => {
        const { body } = await to.send('GET /auth/sessions', { cookies });
        const own = (body as { id: string; current: boolean }[]).find(({ current }) => current);
        return to.send(`DELETE /auth/sessions/${own?.id}`, { cookies });
      },
    ],
  ])(
    'at %s the cookies are cleared with the attributes with which they were set',
    async (_, steps) => {
      const answer = await both.answer(async (to) => {
        const cookies = await to.loginWithCookies();
        const ended = await steps(to, cookies);
        expect((await to.send('GET /me', { cookies })).status).toBe(401);
        return ended;
      });
      expect(answer).toMatchObject({ status: 204, cookies: CLEARED });
    },
  );

  it('at logout with unknown cookies: 401, and the cookies are cleared', async () => {
    const answer = await both.answer((to) =>
      to.send('POST /auth/logout', { cookies: { [REFRESH]: 'A'.repeat(43), [ACCESS]: 'garbage' } }),
    );
    expect(answer).toMatchObject({
      status: 401,
      cookies: CLEARED,
      body: { code: 'token_malformed' },
    });
  });

  it.each<[string, (to: HttpClient, app: HttpApp) => Promise<HttpAnswer>]>([
    [
      'ended',
      async (to) => {
        const cookies = await to.loginWithCookies();
        await to.send('POST /auth/logout', { cookies });
        return to.send('POST /auth/refresh', { cookies });
      },
    ],
    [
      'reused',
      async (to, { sql }) => {
        const cookies = await to.loginWithCookies();
        await to.send('POST /auth/refresh', { cookies });
        await sql('UPDATE auth_refresh SET grace_until = 1 WHERE grace_until IS NOT NULL');
        const reused = await to.send('POST /auth/refresh', { cookies });
        expect(reused.body).toMatchObject({ code: 'refresh_token_reused' });
        return reused;
      },
    ],
    ['missing', (to) => to.send('POST /auth/refresh')],
  ])('a refused refresh changes no cookie: %s', async (_, steps) => {
    const answer = await both.answer(steps);
    expect([answer.status, answer.cookies]).toEqual([401, []]);
  });

  it('two tabs that refresh at once get the same refresh cookie', async () => {
    for (const { client: to } of both.apps) {
      const cookies = await to.loginWithCookies();
      const tabs = await Promise.all(
        [1, 2, 3].map(() => to.send('POST /auth/refresh', { cookies })),
      );
      expect(tabs.map(({ status }) => status)).toEqual([200, 200, 200]);
      expect(new Set(tabs.map((tab) => cookiesOf(tab)[REFRESH])).size).toBe(1);
    }
  });

  it('a tab that is late does not replace the newer refresh cookie of another tab', async () => {
    const late = await both.answer(async (to) => {
      const first = await to.loginWithCookies();
      const second = cookiesOf(await to.send('POST /auth/refresh', { cookies: first }));
      const third = cookiesOf(await to.send('POST /auth/refresh', { cookies: second }));
      const answer = await to.send('POST /auth/refresh', { cookies: first });
      const browser = { ...third, ...cookiesOf(answer) };
      expect((await to.send('GET /me', { cookies: browser })).status).toBe(200);
      expect((await to.send('POST /auth/refresh', { cookies: browser })).status).toBe(200);
      return answer;
    });
    expect([late.status, Object.keys(cookiesOf(late))]).toEqual([200, [ACCESS]]);
  });

  it('a logout that failed keeps the cookies', async () => {
    for (const { client: to, sql } of both.apps) {
      const cookies = await to.loginWithCookies();
      await sql('ALTER TABLE auth_event RENAME TO elsewhere');
      const failed = await to.send('POST /auth/logout', { cookies });
      await sql('ALTER TABLE elsewhere RENAME TO auth_event');
      expect([failed.status, failed.cookies]).toEqual([503, []]);
      expect((await to.send('POST /auth/logout', { cookies })).status).toBe(204);
    }
  });
});

describe('where each token is read from', () => {
  it('the guard reads the cookie', async () => {
    const answer = await both.answer(async (to) => {
      const cookies = await to.loginWithCookies();
      expect((await to.send('GET /greeting', { cookies })).body).toEqual({ to: 'alice' });
      expect((await to.send('GET /greeting')).body).toEqual({ to: 'stranger' });
      return to.send('GET /me', { cookies: { theme: 'dark', ...cookies, [`x${ACCESS}`]: 'x' } });
    });
    expect([answer.status, answer.body]).toEqual([200, { sub: 'alice' }]);
  });

  it.each<[string, (to: HttpClient) => Promise<HttpAnswer>, number, string]>([
    [
      'header and cookie',
      async (to) =>
        to.send('GET /me', { cookies: await to.loginWithCookies(), token: mintToken() }),
      400,
      'invalid_request',
    ],
    [
      'the cookie twice',
      (to) => to.send('GET /me', { headers: { cookie: `${ACCESS}=a; ${ACCESS}=b` } }),
      400,
      'invalid_request',
    ],
    [
      'a refresh token in the access cookie',
      async (to) =>
        to.send('GET /me', { cookies: { [ACCESS]: (await to.loginWithCookies())[REFRESH] ?? '' } }),
      401,
      'token_malformed',
    ],
    [
      'an access token in the refresh cookie',
      async (to) =>
        to.send('POST /auth/refresh', {
          cookies: { [REFRESH]: (await to.loginWithCookies())[ACCESS] ?? '' },
        }),
      401,
      'refresh_token_invalid',
    ],
    [
      'the refresh cookie, from a body',
      async (to) =>
        to.send('POST /auth/refresh', {
          json: { refresh_token: (await to.loginWithCookies())[REFRESH] },
        }),
      401,
      'refresh_token_invalid',
    ],
    [
      'body and cookie',
      async (to) =>
        to.send('POST /auth/refresh', {
          cookies: await to.loginWithCookies(),
          json: { refresh_token: 'x' },
        }),
      400,
      'invalid_request',
    ],
    [
      'a cookie of 9 KB',
      (to) => to.send('GET /me', { cookies: { [ACCESS]: 'a'.repeat(9_000) } }),
      401,
      'token_malformed',
    ],
    [
      'an empty cookie',
      (to) => to.send('GET /me', { cookies: { [ACCESS]: '' } }),
      401,
      'token_missing',
    ],
  ])('the token is read as documented: %s', async (_, steps, status, code) => {
    expect(await both.answer(steps)).toMatchObject({ status, body: { code }, cookies: [] });
  });

  it('a login ends the session that the browser held before', async () => {
    const answer = await both.answer(async (to) => {
      const before = await to.loginWithCookies();
      const after = await to.loginWithCookies('bob', before);
      expect((await to.send('GET /me', { cookies: after })).status).toBe(200);
      return to.send('GET /me', { cookies: before });
    });
    expect(answer).toMatchObject({
      status: 401,
      body: { code: 'session_ended', reason: 'newer_login' },
    });
  });

  it('with cookies off, a refresh token is read from the body only', async () => {
    const apps = await startBothHttp();
    try {
      for (const { client: to } of apps) {
        const { access_token, refresh_token } = await to.login();
        const cookies = { [ACCESS]: access_token, [REFRESH]: refresh_token };
        expect((await to.send('GET /me', { cookies })).body).toMatchObject({
          code: 'token_missing',
        });
        expect((await to.send('POST /auth/refresh', { cookies })).status).toBe(400);
      }
    } finally {
      await Promise.all(apps.map(({ close }) => close()));
    }
  });
});
