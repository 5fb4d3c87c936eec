import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, UseGuards } from '@nestjs/common';
import {
  AccessTokenGuard,
  AccountService,
  ApiTokenService,
  CurrentToken,
  JwtAuthGuard,
  type TokenClaims,
} from 'nestjs-logout';
import { eventually } from '../support/eventually.js';
import { type HttpApp, startBothHttp } from '../support/http-app.js';
import { cookiesOf } from '../support/http-client.js';
import { RevocationPurge } from '../support/internals.js';

@Controller('both')
@UseGuards(AccessTokenGuard)
class BothController {
  @Get()
  read(@CurrentToken() { sub, role, sid }: TokenClaims): object {
    return { sub, role, hasSession: sid !== undefined };
  }
}

@Controller('jwt')
@UseGuards(JwtAuthGuard)
class JwtController {
  @Get()
  read(): string {
    return 'read';
  }
}

let apps: readonly HttpApp[];

beforeAll(async () => {
  apps = await startBothHttp({
    options: { apiTokens: true, accessTokens: 'opaque' },
    http: { cookies: true },
    controllers: [BothController, JwtController],
  });
});

afterAll(() => Promise.all(apps.map(({ close }) => close())));

describe.each([
  ['Express', 0],
  ['Fastify', 1],
])("accessTokens: 'opaque' on %s", (_, index) => {
  let app: HttpApp;

  beforeAll(() => {
    const given = apps[index];
    if (given === undefined) throw new Error('It was not started.');
    app = given;
  });

  /** The cookies of a login, and the access token in them. */
  async function login(username = 'alice'): Promise<{
    readonly cookies: Record<string, string>;
    readonly token: string;
  }> {
    const cookies = await app.client.loginWithCookies(username);
    return { cookies, token: cookies['__Host-access'] ?? '' };
  }
  const codeAt = async (path: string, token: string): Promise<[number, unknown]> => {
    const { status, body } = await app.client.send(path, { token });
    return [status, (body as { code?: string }).code];
  };

  it('login and refresh return opaque access tokens with the claims of their session', async () => {
    const { cookies, token } = await login();
    expect(token).toMatch(/^nlt_/);
    const good = { status: 200, body: { sub: 'alice', role: 'user', hasSession: true } };
    expect(await app.client.send('GET /both', { token })).toMatchObject(good);
    expect(await app.client.send('GET /both', { cookies })).toMatchObject(good);
    const next = cookiesOf(await app.client.send('POST /auth/refresh', { cookies }));
    expect(next['__Host-access']).toMatch(/^nlt_/);
    expect(next['__Host-access']).not.toBe(token);
    expect(await app.client.send('GET /both', { cookies: next })).toMatchObject(good);
    expect(await codeAt('GET /jwt', token)).toEqual([401, 'token_malformed']);
  });

  it('a logout ends the session’s tokens, a changed password all others, and changed claims all', async () => {
    const [one, kept, other] = [await login(), await login(), await login()];
    expect((await app.client.send('POST /auth/logout', { token: one.token })).status).toBe(204);
    expect(await codeAt('GET /both', one.token)).toEqual([401, 'session_ended']);
    const sessions = await app.client.send('GET /auth/sessions', { token: kept.token });
    const current = (sessions.body as { id: string; current: boolean }[]).find((s) => s.current);
    const accounts = app.app.get(AccountService);
    await accounts.passwordChanged('alice', { keepSession: current?.id });
    expect(await codeAt('GET /both', other.token)).toEqual([401, 'session_ended']);
    expect((await codeAt('GET /both', kept.token))[0]).toBe(200);
    await accounts.claimsChanged('alice');
    expect(await codeAt('GET /both', kept.token)).toEqual([401, 'session_ended']);
    const next = cookiesOf(await app.client.send('POST /auth/refresh', { cookies: kept.cookies }));
    expect((await app.client.send('GET /both', { cookies: next })).status).toBe(200);
  });

  it('the routes of the library accept opaque access tokens, and no API token', async () => {
    const { token } = await login();
    const api = await app.app.get(ApiTokenService).issue('alice', { name: 'backup' });
    for (const call of [
      'GET /auth/sessions',
      'POST /auth/logout-others',
      'POST /auth/logout-all',
    ]) {
      expect(await codeAt(call, api.token)).toEqual([401, 'token_invalid']);
    }
    expect((await codeAt('GET /auth/sessions', token))[0]).toBe(200);
    expect((await app.app.get(ApiTokenService).list('alice')).map(({ id }) => id)).toContain(
      api.info.id,
    );
    expect((await codeAt('POST /auth/logout-all', token))[0]).toBe(204);
    expect(await codeAt('GET /both', token)).toEqual([401, 'session_ended']);
    expect(await codeAt('GET /both', api.token)).toEqual([401, 'session_ended']);
  });

  it('an opaque access token expires, is refreshed, and its row is deleted', async () => {
    const { cookies, token } = await login('bob');
    const count = async (): Promise<number> => {
      const rows = (await app.sql(
        "SELECT COUNT(*) AS n FROM auth_api_token WHERE subject = 'bob'",
      )) as { n: number }[];
      return Number(rows[0]?.n);
    };
    expect(await count()).toBe(1);
    app.clock.advance(15 * 60_000 + 10_000);
    expect(await codeAt('GET /both', token)).toEqual([401, 'token_expired']);
    app.clock.advance(3 * 60_000);
    await eventually(async () => {
      await app.app.get(RevocationPurge).purge();
      return (await count()) === 0;
    });
    const next = cookiesOf(await app.client.send('POST /auth/refresh', { cookies }));
    expect((await app.client.send('GET /both', { cookies: next })).status).toBe(200);
  });
});
