import { RequestMethod, VersioningType } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { authRoutesToExclude } from 'nestjs-logout';
import { type HttpApp, startBothHttp } from '../support/http-app.js';
import { useBothPlatforms } from '../support/http-both.js';
import type { HttpAnswer, HttpClient } from '../support/http-client.js';
import { mintToken } from '../support/mint-token.js';

const UNKNOWN = 'A'.repeat(43);

const both = useBothPlatforms();

const expired = (): string => mintToken({ iat: 1_000_000_000, exp: 1_000_000_060 });

describe('revoke (RFC 7009)', () => {
  it.each([
    ['unknown refresh token', UNKNOWN],
    ['expired', expired()],
    ['of another account', mintToken({}, 'another secret, 32 bytes long....')],
    ['of another issuer', mintToken({ iss: 'https://elsewhere.test' })],
    ['garbage', 'not a token'],
    ['garbage of 8 KB', 'a.'.repeat(4_096)],
  ])('revoke answers 200 for a token that is %s', async (_, token) => {
    const answer = await both.answer((to) => to.send('POST /auth/revoke', { json: { token } }));
    expect([answer.status, answer.body]).toEqual([200, '']);
  });

  it.each(['access_token', 'refresh_token'] as const)(
    'revoke ends the session of an %s',
    async (kind) => {
      const answer = await both.answer(async (to) => {
        const pair = await to.login();
        // token_type_hint is advisory, and may be wrong.
        const form = `token=${pair[kind]}&token_type_hint=${kind === 'access_token' ? 'refresh_token' : 'pigeon'}`;
        expect((await to.send('POST /auth/revoke', { form })).status).toBe(200);
        expect((await to.send('GET /me', { token: pair.access_token })).status).toBe(401);
        expect((await to.send('POST /auth/revoke', { form })).status).toBe(200);
        return to.send('POST /auth/refresh', { json: { refresh_token: pair.refresh_token } });
      });
      expect(answer).toMatchObject({ status: 401, body: { code: 'session_ended' } });
    },
  );
});

describe('introspect (RFC 7662)', () => {
  const introspect = async (to: HttpClient, token: string): Promise<HttpAnswer> =>
    to.send('POST /auth/introspect', {
      token: (await to.login('admin')).access_token,
      form: `token=${encodeURIComponent(token)}`,
    });

  it('introspect returns the claims of a valid access token', async () => {
    const answer = await both.answer(async (to) => introspect(to, (await to.login()).access_token));
    expect(answer).toMatchObject({
      status: 200,
      body: {
        active: true,
        token_type: 'Bearer',
        iss: 'nestjs-logout-quickstart',
        sub: 'alice',
        sid: '<id>',
        jti: '<id>',
        role: 'user',
      },
    });
  });

  it('introspect returns less for a valid refresh token', async () => {
    const answer = await both.answer(async (to) =>
      introspect(to, (await to.login()).refresh_token),
    );
    expect(answer.body).toEqual({
      active: true,
      token_type: 'refresh_token',
      iss: 'nestjs-logout-quickstart',
      sub: 'alice',
      sid: '<id>',
      exp: 0,
    });
  });

  it.each<[string, (to: HttpClient, app: HttpApp) => Promise<string> | string]>([
    ['unknown', () => UNKNOWN],
    ['garbage', () => 'not a token'],
    ['expired', expired],
    ['of another issuer', () => mintToken({ iss: 'https://elsewhere.test' })],
    ['an access token after logout', async (to) => (await ended(to)).access_token],
    ['a refresh token after logout', async (to) => (await ended(to)).refresh_token],
    [
      'a refresh token after logout-all',
      async (to) => {
        const pair = await to.login('bob');
        await to.send('POST /auth/logout-all', { token: pair.access_token });
        return pair.refresh_token;
      },
    ],
    [
      'a refresh token that was used',
      async (to) => {
        const { refresh_token } = await to.login();
        await to.send('POST /auth/refresh', { json: { refresh_token } });
        return refresh_token;
      },
    ],
  ])('introspect answers active:false and nothing else: %s', async (_, make) => {
    const answer = await both.answer(async (to, app) => introspect(to, await make(to, app)));
    expect([answer.status, answer.body]).toEqual([200, { active: false }]);
  });

  const ended = async (to: HttpClient): ReturnType<HttpClient['login']> => {
    const pair = await to.login();
    await to.send('POST /auth/logout', { token: pair.access_token });
    return pair;
  };
});

describe('while the database is away', () => {
  it('while the database is away every route that needs it answers 503, and nothing is lost', async () => {
    const apps = await startBothHttp({ options: { staleWait: 0 } });
    try {
      for (const { client: to, sql, clock } of apps) {
        const [admin, alice] = [await to.login('admin'), await to.login('alice')];
        await sql('ALTER TABLE auth_head RENAME TO elsewhere');
        await sql('ALTER TABLE auth_session RENAME TO elsewhere_too');
        const { access_token: token, refresh_token } = alice;
        const call = (path: string, init: object): Promise<HttpAnswer> =>
          to.send(`POST /auth/${path}`, init);
        const away = { status: 503, headers: { 'retry-after': '1', 'cache-control': 'no-store' } };
        for (const answer of [
          await call('logout', { token }),
          await call('logout', { json: { refresh_token } }),
          await call('revoke', { json: { token } }),
          await call('revoke', { json: { token: refresh_token } }),
          await call('refresh', { json: { refresh_token } }),
          await call('introspect', { token: admin.access_token, json: { token: refresh_token } }),
        ]) {
          expect(answer).toMatchObject({ ...away, body: { code: 'storage_unavailable' } });
        }
        clock.advance(60_000);
        const stale = await call('introspect', { token: admin.access_token, json: { token } });
        expect(stale).toMatchObject({
          ...away,
          headers: { 'retry-after': '2' },
          body: { code: 'revocation_state_unknown' },
        });
        await sql('ALTER TABLE elsewhere RENAME TO auth_head');
        await sql('ALTER TABLE elsewhere_too RENAME TO auth_session');
        expect((await call('logout', { token })).status).toBe(204);
      }
    } finally {
      await Promise.all(apps.map(({ close }) => close()));
    }
  });
});

describe('paths of the routes', () => {
  it('routes follow the prefix and a global prefix without version, and the keys stay at the root', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const apps = await startBothHttp({
      http: { prefix: 'account/auth' },
      keys: [
        { kid: 'pair', alg: 'ES256', privateKey },
        { kid: 'next', alg: 'RS256', publicKey: rsa.publicKey },
      ],
      configure: (app) => {
        app.setGlobalPrefix('api', { exclude: authRoutesToExclude });
        app.enableVersioning({ type: VersioningType.URI, defaultVersion: '2' });
      },
    });
    try {
      for (const { client: to } of apps) {
        const login = await to.send('POST /api/account/auth/login', {
          json: { username: 'alice', password: 'open sesame' },
        });
        expect(login.status).toBe(200);
        const { access_token: token } = login.body as { access_token: string };
        expect((await to.send('GET /api/account/auth/sessions', { token })).status).toBe(200);
        expect((await to.send('POST /auth/login')).status).toBe(404);
        const jwks = await to.send('GET /.well-known/jwks.json');
        expect(jwks.headers['cache-control']).toBe('no-store');
        const { keys } = jwks.body as { keys: Record<string, unknown>[] };
        expect(keys).toHaveLength(2);
        expect(Object.keys(keys[0] ?? {}).sort()).toEqual([
          'alg',
          'crv',
          'kid',
          'kty',
          'use',
          'x',
          'y',
        ]);
        expect(keys[0]).toMatchObject({ kid: 'pair', alg: 'ES256', use: 'sig', kty: 'EC' });
        expect(Object.keys(keys[1] ?? {}).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
      }
    } finally {
      await Promise.all(apps.map(({ close }) => close()));
    }
  });

  it('authRoutesToExclude lists the routes to exclude from a global prefix', () => {
    expect(authRoutesToExclude).toEqual([
      { path: '.well-known/jwks.json', method: RequestMethod.GET },
    ]);
  });
});
