import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Injectable, Logger, Post, Res } from '@nestjs/common';
import {
  AuthCookies,
  type AuthHttpOptions,
  AuthModule,
  AuthWiringError,
  type CookieResponse,
  JwtAuthGuard,
  SessionService,
} from 'nestjs-logout';
import { type HttpApp, startBothHttp, startHttp } from '../support/http-app.js';
import { cookiesOf, PASSWORD } from '../support/http-client.js';

const CREDENTIALS = { username: 'alice', password: PASSWORD };
let apps: readonly HttpApp[] = [];

afterEach(async () => {
  await Promise.all(apps.map(({ close }) => close()));
  apps = [];
});

describe('a wrong option stops the boot, and the error says what to write', () => {
  const verifyCredentials = (): null => null;
  const register = (http: unknown): void => {
    AuthModule.forRoot({
      secret: 'a secret of the tests: 32 bytes or more',
      issuer: 'a',
      audience: 'b',
      http: http as AuthHttpOptions,
    });
  };

  it.each<[unknown, string]>([
    [true, 'http: a boolean'],
    [{ verifyCredentials: 'x' }, 'http.verifyCredentials: a string of 1 character'],
    [{ verifyCredentials, prefix: '/auth' }, "http.prefix: '/auth'"],
    [{ verifyCredentials, prefix: '' }, 'http.prefix: an empty string'],
    [{ verifyCredentials, prefix: ':id' }, "http.prefix: ':id'"],
    [{ verifyCredentials, cookie: true }, 'Use cookies: true.'],
    [{ verifyCredentials, cookies: 'yes' }, 'http.cookies: a string of 3 characters'],
    [
      { verifyCredentials, cookies: { domain: 'a.test' } },
      'There is none: a cookie for a whole domain',
    ],
    [{ verifyCredentials, cookies: { secure: 'no' } }, "http.cookies.secure: 'no'"],
    [{ verifyCredentials, cookies: { sameSite: 'none' } }, "http.cookies.sameSite: 'none'"],
    [{ verifyCredentials, cookies: { refreshPath: 'auth' } }, "http.cookies.refreshPath: 'auth'"],
    [
      { verifyCredentials, cookies: { refreshPath: '/a; Secure' } },
      "http.cookies.refreshPath: '/a; Secure'",
    ],
    [{ verifyCredentials, cookies: { origins: ['https://a.test/'] } }, 'http.cookies.origins[0]'],
    [{ verifyCredentials, cookies: { origins: ['*'] } }, "http.cookies.origins[0]: '*'"],
    [
      { verifyCredentials, cookies: { origins: 'https://a.test' } },
      'http.cookies.origins: a string',
    ],
    [{ verifyCredentials, cookies: { former: [{ name: 'a b' }] } }, 'http.cookies.former[0]'],
    [{ verifyCredentials, mayIntrospect: 'admin' }, "http.mayIntrospect: 'admin'"],
  ])('http: %j stops the boot', (http, told) => {
    expect(() => register(http)).toThrow(AuthWiringError);
    expect(() => register(http)).toThrow(told);
  });

  it('a verifier that is not a provider, or has no method, stops the boot', async () => {
    @Injectable()
    class Lost {
      verifyCredentials(): null {
        return null;
      }
    }
    await expect(startHttp('express', { http: { verifyCredentials: Lost } })).rejects.toThrow(
      'Add Lost to the providers',
    );
  });

  it('http returned by a factory is an error that says where it belongs', async () => {
    const options = { http: { verifyCredentials } } as object;
    await expect(startHttp('express', { options, viaFactory: true })).rejects.toThrow(
      "'http': an object was given. It belongs beside useFactory",
    );
  });
});

describe('options', () => {
  it('without http no route exists', async () => {
    apps = await startBothHttp({ http: null });
    for (const { client } of apps) {
      expect((await client.send('POST /auth/login', { json: CREDENTIALS })).status).toBe(404);
      expect((await client.send('GET /.well-known/jwks.json')).status).toBe(404);
    }
  });

  it('without verifyCredentials the login route does not exist, and all others do', async () => {
    apps = await startBothHttp({ http: { verifyCredentials: undefined } });
    for (const { app, client } of apps) {
      const login = await client.send('POST /auth/login', { json: CREDENTIALS });
      expect(login.status).toBe(404);
      const own = await app.get(SessionService).login(() => ({ subject: 'alice' }));
      const refreshed = await client.send('POST /auth/refresh', {
        json: { refresh_token: own?.refreshToken },
      });
      expect(refreshed.status).toBe(200);
      const logout = await client.send('POST /auth/logout', { token: own?.accessToken ?? '' });
      expect(logout.status).toBe(204);
    }
  });

  it('a function can verify credentials, also beside useFactory, and introspect is closed by default', async () => {
    apps = await startBothHttp({
      viaFactory: true,
      http: {
        mayIntrospect: undefined,
        verifyCredentials: async ({ username }) => ({ subject: username }),
      },
    });
    for (const { client } of apps) {
      const { access_token: token } = await client.login('admin');
      const answer = await client.send('POST /auth/introspect', { token, json: { token } });
      expect([answer.status, answer.body]).toMatchObject([403, { code: 'forbidden' }]);
    }
  });

  it('behind a global guard a login works without a token', async () => {
    apps = await startBothHttp({
      configure: (app) => app.useGlobalGuards(app.get(JwtAuthGuard)),
    });
    for (const { client } of apps) {
      const { access_token: token, refresh_token } = await client.login();
      for (const call of ['refresh', 'logout']) {
        const answer = await client.send(`POST /auth/${call}`, { json: { refresh_token } });
        expect(answer.status).toBeLessThan(300);
      }
      const revoked = await client.send('POST /auth/revoke', { json: { token } });
      expect(revoked.status).toBe(200);
      expect((await client.send('GET /.well-known/jwks.json')).status).toBe(200);
      expect((await client.send('GET /auth/sessions')).status).toBe(401);
    }
  });

  it('cookies: a token that no browser would keep is a wiring error, not a lost login', async () => {
    apps = await startBothHttp({
      http: { cookies: true },
      options: { claims: () => ({ much: 'a'.repeat(4_000) }) },
    });
    for (const { client } of apps) {
      const login = await client.send('POST /auth/login', { json: CREDENTIALS });
      expect([login.status, login.cookies]).toEqual([500, []]);
    }
  });

  it('cookies: every attribute is as configured, and old cookies are cleared with their own', async () => {
    apps = await startBothHttp({
      http: {
        cookies: {
          sameSite: 'lax',
          refreshPath: '/auth',
          clearSiteData: true,
          former: [
            { name: 'jwt', domain: 'example.com' },
            { name: 'sid', path: '/old' },
          ],
        },
      },
    });
    const former = [
      'jwt=; Max-Age=0; Domain=example.com; Path=/; HttpOnly; Secure; SameSite=Lax',
      'sid=; Max-Age=0; Path=/old; HttpOnly; Secure; SameSite=Lax',
    ];
    for (const { client } of apps) {
      const login = await client.send('POST /auth/login', { json: CREDENTIALS });
      expect(login.cookies.map((line) => line.replace(/^(__[^=]+)=[^;]+/, '$1=x'))).toEqual([
        '__Host-access=x; Max-Age=1209600; Path=/; HttpOnly; Secure; SameSite=Lax',
        '__Secure-refresh=x; Max-Age=1209600; Path=/auth; HttpOnly; Secure; SameSite=Lax',
        'jwt=; Max-Age=0; Domain=example.com; Path=/; HttpOnly; Secure; SameSite=Lax',
        'sid=; Max-Age=0; Path=/old; HttpOnly; Secure; SameSite=Lax',
      ]);
      expect(login.headers['clear-site-data']).toBeUndefined();
      const logout = await client.send('POST /auth/logout', { cookies: cookiesOf(login) });
      expect(logout.cookies).toEqual([
        '__Host-access=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax',
        '__Secure-refresh=; Max-Age=0; Path=/auth; HttpOnly; Secure; SameSite=Lax',
        ...former,
      ]);
      expect(logout.headers['clear-site-data']).toBe('"storage"');
    }
  });

  it('without refresh tokens one cookie is set, for as long as the access token is valid', async () => {
    apps = await startBothHttp({
      http: { cookies: { secure: false } },
      options: { refreshTokenTtl: 0 },
    });
    for (const { client } of apps) {
      const login = await client.send('POST /auth/login', { json: CREDENTIALS });
      expect(login.cookies).toHaveLength(1);
      expect(login.cookies[0]).toMatch(
        /^access=eyJ[^;]+; Max-Age=(?:8\d\d|900); Path=\/; HttpOnly; SameSite=Strict$/,
      );
      const me = await client.send('GET /me', { cookies: cookiesOf(login) });
      expect(me.status).toBe(200);
    }
  });

  it('an insecure cookie in production logs a warning', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const before = process.env['NODE_ENV'];
    process.env['NODE_ENV'] = 'production';
    try {
      apps = [await startHttp('express', { http: { cookies: { secure: false } } })];
      const told = warn.mock.calls.map(([message]) => String(message));
      expect(told).toContainEqual(expect.stringContaining('http.cookies.secure is false'));
    } finally {
      process.env['NODE_ENV'] = before;
      warn.mockRestore();
    }
  });
});

describe('AuthCookies, in a controller of the application', () => {
  @Controller()
  class OwnLogin {
    constructor(
      private readonly sessions: SessionService,
      private readonly cookies: AuthCookies,
    ) {}

    @Post('own-login')
    async login(@Res({ passthrough: true }) response: CookieResponse): Promise<void> {
      response.header('Set-Cookie', 'theme=dark');
      await this.renew(response);
    }

    @Post('both')
    async both(@Res({ passthrough: true }) response: CookieResponse): Promise<void> {
      await this.renew(response);
      this.cookies.clear(response);
      await this.renew(response);
    }

    private async renew(response: CookieResponse): Promise<void> {
      const login = await this.sessions.login(() => ({ subject: 'alice' }), { delivery: 'cookie' });
      if (login !== null) this.cookies.set(response, login);
    }
  }

  it('AuthCookies sets the cookies, and in one answer a logout wins over a login, before and after it', async () => {
    const http = { cookies: true, verifyCredentials: undefined };
    apps = await startBothHttp({ http, controllers: [OwnLogin] });
    for (const { client } of apps) {
      const login = await client.send('POST /own-login');
      expect(Object.keys(cookiesOf(login))).toEqual(['theme', '__Host-access', '__Host-refresh']);
      const refreshed = await client.send('POST /auth/refresh', { cookies: cookiesOf(login) });
      expect(refreshed.status).toBe(200);
      const both = await client.send('POST /both');
      expect(both.cookies.filter((line) => /^__Host-\w+=[^;]/.test(line))).toEqual([]);
      expect(both.cookies.filter((line) => line.includes('Max-Age=0'))).toHaveLength(2);
    }
  });
});
