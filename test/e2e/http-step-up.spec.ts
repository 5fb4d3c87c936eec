import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Post, UseGuards } from '@nestjs/common';
import {
  AccessTokenGuard,
  AllowExpired,
  ApiTokenService,
  JwtAuthGuard,
  OptionalAuth,
  Public,
  RecentLogin,
} from 'nestjs-logout';
import { GuessCounter } from '../../sample/01-quickstart/guess-counter.js';
import { type HttpApp, startBothHttp } from '../support/http-app.js';
import { cookiesOf, type HttpAnswer, PASSWORD } from '../support/http-client.js';
import { claimsIn } from '../support/log-tables.js';
import { mintToken } from '../support/mint-token.js';

const MINUTE = 60_000;

@Controller('recent')
@UseGuards(JwtAuthGuard)
@RecentLogin('5m')
class RecentController {
  @Post('password')
  byClass(): void {}

  @Get('hour')
  @RecentLogin(3_600)
  byHandler(): void {}

  @Get('optional')
  @OptionalAuth()
  optional(): void {}

  @Get('expired')
  @AllowExpired()
  expired(): void {}

  @Get('open')
  @Public()
  open(): void {}
}

@Controller('both')
@UseGuards(JwtAuthGuard)
@Public()
class OpenController {
  @Get('guarded')
  @RecentLogin('5m')
  guarded(): void {}
}

@Controller('api')
@UseGuards(AccessTokenGuard)
class ApiController {
  @Get('any')
  any(): void {}

  @Get('recent')
  @RecentLogin('5m')
  recent(): void {}

  @Get('optional')
  @RecentLogin('5m')
  @OptionalAuth()
  optional(): void {}
}

/** A token of no session, which is valid however far the clock has been moved. */
function longLived(): string {
  const now = Math.floor(Date.now() / 1000);
  return mintToken({ iat: now, exp: now + 3 * 3_600 });
}

function expired(): string {
  const now = Math.floor(Date.now() / 1000);
  return mintToken({ iat: now - 7_200, exp: now - 3_600 });
}

const TOO_OLD = {
  status: 401,
  headers: { 'cache-control': 'no-store' },
  body: { statusCode: 401, error: 'Unauthorized', code: 'login_too_old', max_age: 300 },
};

describe('@RecentLogin() and POST confirm', () => {
  let apps: readonly HttpApp[];

  beforeAll(async () => {
    apps = await startBothHttp({
      controllers: [RecentController, OpenController],
      options: { accessTokenTtl: '3h', maxStaleness: '1h' },
      http: { recentLogin: '5m', limit: new GuessCounter(100) },
    });
  });

  afterAll(() => Promise.all(apps.map(({ close }) => close())));

  const oldLogin = async ({ client, clock }: HttpApp) => {
    const login = await client.login();
    clock.advance(6 * MINUTE);
    return login;
  };

  const confirm = (
    { client }: HttpApp,
    token: string,
    json: object = { username: 'alice', password: PASSWORD },
  ): Promise<HttpAnswer> => client.send('POST /auth/confirm', { token, json });

  describe.each([
    ['Express', 0],
    ['Fastify', 1],
  ])('on %s', (_, index) => {
    const at = (): HttpApp => apps[index] as HttpApp;

    it('a login that is too old gets the challenge of RFC 9470, until it is confirmed', async () => {
      const { client } = at();
      const { access_token: token } = await oldLogin(at());
      const refused = await client.send('POST /recent/password', { token });
      expect(refused).toMatchObject(TOO_OLD);
      expect(refused.headers['www-authenticate']).toMatch(
        /^Bearer realm="api", error="insufficient_user_authentication", error_description="[^"]+", max_age="300"$/,
      );
      expect((await client.send('GET /me', { token })).status).toBe(200);

      const answer = await confirm(at(), token);
      expect(answer).toMatchObject({
        status: 200,
        headers: { 'cache-control': 'no-store' },
        cookies: [],
        body: { access_token: expect.any(String), token_type: 'Bearer' },
      });
      expect(answer.body).not.toHaveProperty('refresh_token');
      const { access_token: fresh } = answer.body as { access_token: string };
      expect(claimsIn(fresh)['sid']).toBe(claimsIn(token)['sid']);
      expect((await client.send('POST /recent/password', { token: fresh })).status).toBe(201);
      // The old token can do no more than before.
      expect(await client.send('POST /recent/password', { token })).toMatchObject(TOO_OLD);
      expect((await client.send('GET /me', { token })).status).toBe(200);
    });

    it('a refresh does not make a login recent', async () => {
      const { client } = at();
      const { refresh_token } = await oldLogin(at());
      const next = await client.send('POST /auth/refresh', { json: { refresh_token } });
      const { access_token: token } = next.body as { access_token: string };
      expect(await client.send('POST /recent/password', { token })).toMatchObject(TOO_OLD);
    });

    it('the other decorators work as usual beside @RecentLogin()', async () => {
      const { client } = at();
      const { access_token: token } = await oldLogin(at());
      const status = async (path: string, given?: string): Promise<number> =>
        (await client.send(`GET ${path}`, { token: given })).status;
      expect(await status('/recent/hour', token)).toBe(200);
      expect(await status('/recent/optional')).toBe(200);
      expect(await status('/recent/optional', token)).toBe(401);
      expect(await status('/recent/expired', token)).toBe(401);
      expect(await status('/recent/open', token)).toBe(200);
      expect(await status('/both/guarded')).toBe(401);
      // A token of release 0.1 does not say when its user logged in.
      const silent = longLived();
      expect(await status('/me', silent)).toBe(200);
      expect(await client.send('POST /recent/password', { token: silent })).toMatchObject(TOO_OLD);
    });

    it('with the option, listing sessions and ending another one need a recent login', async () => {
      const { client } = at();
      const { access_token: token } = await oldLogin(at());
      const { session_id: other } = await client.login();
      for (const call of [
        'GET /auth/sessions',
        `DELETE /auth/sessions/${other}`,
        'POST /auth/logout-others',
      ]) {
        expect([call, await client.send(call, { token })]).toEqual([
          call,
          expect.objectContaining({
            status: 401,
            headers: expect.objectContaining({
              'cache-control': 'no-store',
              'www-authenticate': expect.stringContaining('max_age="300"'),
            }),
            body: expect.objectContaining(TOO_OLD.body),
          }),
        ]);
      }
      const { access_token: fresh } = (await confirm(at(), token)).body as {
        access_token: string;
      };
      expect((await client.send('GET /auth/sessions', { token: fresh })).status).toBe(200);
      const ended = await client.send(`DELETE /auth/sessions/${other}`, { token: fresh });
      expect(ended.status).toBe(204);
      expect((await client.send('POST /auth/logout-all', { token })).status).toBe(204);
    });

    it('a request that is no confirmation is refused with a stable code', async () => {
      const { client } = at();
      const { access_token: token } = await client.login();
      const gone = await client.login();
      await client.send('POST /auth/logout', { token: gone.access_token });
      const cases: readonly [Promise<HttpAnswer>, number, string][] = [
        [confirm(at(), token, { username: 'alice', password: 'no' }), 401, 'credentials_invalid'],
        [confirm(at(), token, { username: 'bob', password: PASSWORD }), 401, 'credentials_invalid'],
        [confirm(at(), token, { username: 'alice' }), 400, 'credentials_missing'],
        [confirm(at(), token, []), 400, 'credentials_missing'],
        [confirm(at(), gone.access_token), 401, 'session_ended'],
        [confirm(at(), 'a.b.c'), 401, 'token_malformed'],
        [confirm(at(), expired()), 401, 'token_expired'],
        [client.send('POST /auth/confirm', { json: {} }), 401, 'token_missing'],
        [confirm(at(), longLived()), 401, 'session_ended'],
      ];
      for (const [asked, status, code] of cases) {
        expect(await asked).toMatchObject({ status, body: { code } });
      }
    });
  });
});

describe('POST confirm on other routes', () => {
  it('an API token is not a login, and can neither be confirmed nor count as recent', async () => {
    const apps = await startBothHttp({
      controllers: [ApiController],
      options: { apiTokens: true },
    });
    for (const { app, client } of apps) {
      const tokens = app.get(ApiTokenService);
      const { token } = await tokens.issue('alice', { name: 'ci' });
      const { access_token: login } = await client.login();
      const status = async (path: string, given: string): Promise<number> =>
        (await client.send(`GET /api/${path}`, { token: given })).status;
      // Twice: from its row, and remembered.
      for (const time of ['first', 'second']) {
        expect([time, await status('any', token)]).toEqual([time, 200]);
        expect([time, await status('recent', token)]).toEqual([time, 401]);
        expect([time, await status('optional', token)]).toEqual([time, 401]);
        expect([time, await status('recent', login)]).toEqual([time, 200]);
      }
      const json = { username: 'alice', password: PASSWORD };
      const confirmed = await client.send('POST /auth/confirm', { token, json });
      expect(confirmed).toMatchObject({ status: 401, body: { code: 'token_malformed' } });
      const claims = { auth_time: Math.floor(Date.now() / 1000) };
      await expect(tokens.issue('alice', { name: 'forged', claims })).rejects.toThrow('auth_time');
    }
    await Promise.all(apps.map(({ close }) => close()));
  });

  it('POST confirm and POST login share the limit on guesses', async () => {
    const apps = await startBothHttp({ http: { limit: new GuessCounter(2) } });
    const [{ client }] = apps;
    const { access_token: token } = await client.login();
    const wrong = { username: 'alice', password: 'no' };
    const statuses: number[] = [];
    for (const path of ['confirm', 'login', 'confirm', 'login']) {
      const { status } = await client.send(`POST /auth/${path}`, { token, json: wrong });
      statuses.push(status);
    }
    expect(statuses).toEqual([401, 401, 429, 429]);
    await Promise.all(apps.map(({ close }) => close()));
  });

  it('POST confirm does not exist without verifyCredentials', async () => {
    const apps = await startBothHttp({ http: { verifyCredentials: undefined } });
    for (const { client } of apps) {
      const { status } = await client.send('POST /auth/confirm', { token: mintToken() });
      expect(status).toBe(404);
    }
    await Promise.all(apps.map(({ close }) => close()));
  });

  it('POST confirm answers in the cookie that held the token, which keeps its lifetime', async () => {
    const apps = await startBothHttp({ http: { cookies: true } });
    for (const { client, clock } of apps) {
      const cookies = await client.loginWithCookies();
      clock.advance(MINUTE);
      const json = { username: 'alice', password: PASSWORD };
      const headers = { 'sec-fetch-site': 'same-origin' };
      const answer = await client.send('POST /auth/confirm', { cookies, headers, json });
      expect(answer.status).toBe(200);
      expect(answer.body).not.toHaveProperty('access_token');
      expect(Object.keys(cookiesOf(answer))).toEqual(['__Host-access']);
      expect(answer.cookies[0]).toContain(`Max-Age=${14 * 86_400 - 60};`);
      const [before, after] = [cookies, cookiesOf(answer)].map(
        (of) => claimsIn(of['__Host-access'] ?? '')['auth_time'] as number,
      );
      expect((after ?? 0) - (before ?? 0)).toBe(60);
      const forged = await client.send('POST /auth/confirm', {
        cookies,
        headers: { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
        json,
      });
      expect(forged).toMatchObject({ status: 403, body: { code: 'csrf_refused' } });
    }
    await Promise.all(apps.map(({ close }) => close()));
  });
});
