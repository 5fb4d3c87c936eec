import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { AuthException, AuthUnavailableException, LogoutService } from 'nestjs-logout';
import { type HttpApp, type HttpAppSettings, startBothHttp } from '../support/http-app.js';
import { cookiesOf, PASSWORD } from '../support/http-client.js';
import { RefreshTokenLookup, resolveHttpOptions } from '../support/internals.js';

let apps: HttpApp[] = [];

afterEach(async () => {
  await Promise.all(apps.map(({ close }) => close()));
  apps = [];
});

async function start(
  cookies: object | true,
  options: HttpAppSettings['options'] = {},
): Promise<void> {
  apps = await startBothHttp({ http: { cookies }, options });
}

const CREDENTIALS = { username: 'alice', password: PASSWORD };

describe('names of cookies', () => {
  it('a cookie name of the application is used for both cookies, and other cookies are left alone', async () => {
    await start({ name: 'shop' });
    for (const { client } of apps) {
      const others = { '__Host-access': 'eyJ.of.another', '__Host-admin-access': 'x' };
      const mine = await client.loginWithCookies('alice', others);
      expect(Object.keys(mine)).toEqual(['__Host-shop-access', '__Host-shop-refresh']);
      expect((await client.send('GET /me', { cookies: { ...others, ...mine } })).status).toBe(200);
      expect((await client.send('GET /me', { cookies: others })).body).toMatchObject({
        code: 'token_missing',
      });
      const logout = await client.send('POST /auth/logout', { cookies: { ...others, ...mine } });
      expect(logout.cookies.map((line) => line.split('=')[0])).toEqual([
        '__Host-shop-access',
        '__Host-shop-refresh',
      ]);
    }
  });

  it('a cookie with a former name is read until a refresh sets the new one', async () => {
    const former = [{ name: '__Host-access' }, { name: '__Host-refresh' }];
    await start({ name: 'shop', former });
    for (const { client } of apps) {
      const mine = await client.loginWithCookies();
      const cookies = {
        '__Host-access': mine['__Host-shop-access'] ?? '',
        '__Host-refresh': mine['__Host-shop-refresh'] ?? '',
      };
      expect((await client.send('GET /me', { cookies })).status).toBe(200);
      const answer = await client.send('POST /auth/refresh', { cookies });
      expect(answer.status).toBe(200);
      expect(answer.cookies.slice(2)).toEqual([
        '__Host-access=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Strict',
        '__Host-refresh=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Strict',
      ]);
      const next = cookiesOf(answer);
      // Where both are there, the new one counts.
      const both = { ...cookies, ...next, '__Host-access': 'eyJ.no.token' };
      expect((await client.send('GET /me', { cookies: both })).status).toBe(200);
      expect((await client.send('POST /auth/logout', { cookies })).status).toBe(204);
      expect((await client.send('GET /me', { cookies: next })).status).toBe(401);
    }
  });
});

describe('a login that is not remembered', () => {
  it('a login that is not remembered has cookies without an age, also after a refresh and a retry', async () => {
    await start({ secure: false });
    for (const { client } of apps) {
      for (const persistent of [false, 'false', true, undefined]) {
        const login = await client.send('POST /auth/login', {
          json: { ...CREDENTIALS, persistent },
        });
        const cookies = cookiesOf(login);
        const refresh = await client.send('POST /auth/refresh', { cookies });
        const again = await client.send('POST /auth/refresh', { cookies });
        for (const answer of [login, refresh, again]) {
          expect(answer).toMatchObject({ status: 200 });
          expect(answer.cookies).toHaveLength(2);
          const aged = answer.cookies.map((line) => line.includes('Max-Age'));
          const isKept = persistent === true || persistent === undefined;
          expect({ persistent, aged }).toEqual({ persistent, aged: [isKept, isKept] });
        }
      }
    }
  });

  it.each([0, 1, null, 'no', {}])('persistent: %j is 400', async (persistent) => {
    await start({ secure: false });
    for (const { client } of apps) {
      const answer = await client.send('POST /auth/login', {
        json: { ...CREDENTIALS, persistent },
      });
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    }
  });
});

describe('origins that may send requests with cookies', () => {
  it.each([
    'tauri://localhost',
    'capacitor://localhost',
    'ionic://localhost',
    'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
    'moz-extension://0c1d2e3f-0000-4000-8000-000000000000',
    'https://localhost:8443',
  ])('%s is an origin that may send requests with cookies', (origin) => {
    const { cookies } = resolveHttpOptions({ cookies: { origins: [origin] } });
    expect([...(cookies?.origins ?? [])]).toEqual([origin]);
  });

  it.each([
    'https://*.preview.example.com',
    'chrome-extension://*',
    '*',
    'null',
    'tauri://',
    'tauri://localhost/',
    'Tauri://localhost',
    'https://app.example.com/',
    'https://user@app.example.com',
  ])('%s as an origin stops the boot', (origin) => {
    expect(() => resolveHttpOptions({ cookies: { origins: [origin] } })).toThrow(
      'http.cookies.origins[0]',
    );
  });
});

describe('a logout with more than one token', () => {
  it('a logout ends the session of each token, including two cookies with one name', async () => {
    await start({ refreshPath: '/auth' });
    for (const { client } of apps) {
      const [mine, planted] = [
        await client.loginWithCookies('alice'),
        await client.loginWithCookies('bob'),
      ];
      const twice = Object.keys(mine)
        .flatMap((name) => [`${name}=${planted[name]}`, `${name}=${mine[name]}`, `${name}=rubbish`])
        .join('; ');
      const refresh = await client.send('POST /auth/refresh', { headers: { cookie: twice } });
      expect(refresh).toMatchObject({ status: 400, cookies: [] });
      const logout = await client.send('POST /auth/logout', { headers: { cookie: twice } });
      expect(logout.status).toBe(204);
      expect(logout.cookies.every((line) => line.includes('Max-Age=0'))).toBe(true);
      for (const cookies of [mine, planted]) {
        expect((await client.send('GET /me', { cookies })).body).toMatchObject({
          code: 'session_ended',
        });
        const refused = await client.send('POST /auth/refresh', { cookies });
        expect(refused.body).toMatchObject({ code: 'session_ended' });
      }
    }
  });

  it('a logout ends what it can if one token cannot be looked up, answers 503 and keeps the cookies', async () => {
    await start(true);
    for (const { app, client } of apps) {
      const lookup = app.get(RefreshTokenLookup);
      const [access, refresh] = [
        await client.loginWithCookies('alice'),
        await client.loginWithCookies('bob'),
      ];
      const unknown = randomBytes(32).toString('base64url');
      const find = lookup.find.bind(lookup);
      const shed = jest.spyOn(lookup, 'find').mockImplementation((token) => {
        if (token !== unknown) return find(token);
        throw new AuthUnavailableException('storage_unavailable', 'Too many.', { retryAfter: 1 });
      });
      const cookie = [
        `__Host-refresh=${unknown}`,
        `__Host-access=${access['__Host-access']}`,
        `__Host-refresh=${refresh['__Host-refresh']}`,
      ].join('; ');
      const logout = await client.send('POST /auth/logout', { headers: { cookie } });
      expect(logout).toMatchObject({ status: 503, cookies: [] });
      expect(logout.headers['retry-after']).toBe('1');
      for (const cookies of [access, refresh]) {
        const refused = await client.send('GET /me', { cookies });
        expect(refused.body).toMatchObject({ code: 'session_ended' });
      }
      shed.mockRestore();
      const again = await client.send('POST /auth/logout', { headers: { cookie } });
      expect(again.status).toBe(204);
    }
  });

  it('a logout reports a session that could not be ended, whatever the reason, and keeps the cookies', async () => {
    await start(true);
    for (const { app, client } of apps) {
      const [access, refresh] = [
        await client.loginWithCookies('alice'),
        await client.loginWithCookies('bob'),
      ];
      const failed = jest
        .spyOn(app.get(LogoutService), 'logout')
        .mockRejectedValue(new AuthException(400, 'invalid_request', 'It cannot be ended.'));
      const cookie = `__Host-access=${access['__Host-access']}; __Host-refresh=${refresh['__Host-refresh']}`;
      const logout = await client.send('POST /auth/logout', { headers: { cookie } });
      expect(logout).toMatchObject({ status: 400, cookies: [] });
      failed.mockRestore();
      expect((await client.send('GET /me', { cookies: access })).status).toBe(200);
      expect((await client.send('GET /me', { cookies: refresh })).body).toMatchObject({
        code: 'session_ended',
      });
    }
  });

  it('a logout looks up at most 20 refresh tokens that are not ours, and all that are', async () => {
    await start(true);
    for (const { app, client } of apps) {
      const mine: Awaited<ReturnType<typeof client.loginWithCookies>>[] = [];
      while (mine.length < 25) mine.push(await client.loginWithCookies());
      const find = jest.spyOn(app.get(RefreshTokenLookup), 'find');
      const rubbish = Array.from({ length: 200 }, () => randomBytes(32).toString('base64url'));
      const cookie = [...rubbish, ...mine.map((cookies) => cookies['__Host-refresh'])]
        .map((value) => `__Host-refresh=${value}`)
        .join('; ');
      const logout = await client.send('POST /auth/logout', { headers: { cookie } });
      expect(logout.status).toBe(204);
      expect(find).toHaveBeenCalledTimes(25 + 20);
      for (const cookies of mine) {
        const refused = await client.send('GET /me', { cookies });
        expect(refused.body).toMatchObject({ code: 'session_ended' });
      }
      find.mockRestore();
    }
  });

  it('a logout with different access tokens in header and cookie is refused, and ends nothing', async () => {
    await start(true);
    for (const { client } of apps) {
      const [mine, other] = [await client.loginWithCookies(), await client.loginWithCookies()];
      const token = other['__Host-access'];
      const refused = await client.send('POST /auth/logout', { cookies: mine, token });
      expect(refused).toMatchObject({ status: 400, cookies: [] });
      for (const cookies of [mine, other]) {
        expect((await client.send('GET /me', { cookies })).status).toBe(200);
      }
      const same = await client.send('POST /auth/logout', { cookies: other, token });
      expect(same.status).toBe(204);
      expect((await client.send('GET /me', { cookies: other })).status).toBe(401);
    }
  });

  it('a logout without a valid token is 401', async () => {
    await start(true);
    for (const { client } of apps) {
      const cookie = '__Host-refresh=a; __Host-refresh=b; __Host-access=c; __Host-access=d';
      const answer = await client.send('POST /auth/logout', { headers: { cookie } });
      expect(answer).toMatchObject({ status: 401, body: { code: 'token_malformed' } });
    }
  });
});
