import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, HttpCode, Post, UseGuards } from '@nestjs/common';
import {
  AccessTokenGuard,
  AllowExpired,
  ApiTokenService,
  CurrentToken,
  CurrentUser,
  Freshness,
  JwtAuthGuard,
  LiveTokens,
  LogoutService,
  OptionalAuth,
  Public,
  RevocationGuard,
  type TokenClaims,
  TokenService,
} from 'nestjs-logout';
import { eventually } from '../support/eventually.js';
import { type HttpApp, startBothHttp } from '../support/http-app.js';
import { newApiToken } from '../support/internals.js';

@Controller('both')
@UseGuards(AccessTokenGuard)
class BothController {
  constructor(private readonly logout: LogoutService) {}

  @Get()
  read(@CurrentToken() token: TokenClaims, @CurrentUser() user: TokenClaims): object {
    return { sub: token.sub, scope: token['scope'] ?? null, user: user.sub };
  }

  @Get('strict')
  @Freshness('strict')
  strict(): string {
    return 'strict';
  }

  @Get('open')
  @Public()
  open(): string {
    return 'open';
  }

  @Get('twice')
  @UseGuards(RevocationGuard)
  twice(): string {
    return 'twice';
  }

  @Get('optional')
  @OptionalAuth()
  optional(@CurrentToken() token: TokenClaims | undefined): { sub: string | null } {
    return { sub: token?.sub ?? null };
  }

  @Post('logout')
  @HttpCode(204)
  @AllowExpired()
  async end(@CurrentToken() token: TokenClaims): Promise<void> {
    await this.logout.logout(token);
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
    options: { apiTokens: true },
    controllers: [BothController, JwtController],
  });
});

afterAll(() => Promise.all(apps.map(({ close }) => close())));

describe.each([
  ['Express', 0],
  ['Fastify', 1],
])('AccessTokenGuard on %s', (_, index) => {
  let app: HttpApp;

  beforeAll(() => {
    const given = apps[index];
    if (given === undefined) throw new Error('It was not started.');
    app = given;
  });

  const issue = (scopes?: string[]) =>
    app.app.get(ApiTokenService).issue('alice', { name: 'backup', scopes });
  const call = async (path: string, token?: string): Promise<[number, unknown]> => {
    const { status, body } = await app.client.send(`GET ${path}`, { token });
    return [status, (body as { code?: string }).code ?? body];
  };

  it('AT-04 opaque token and allowlist: the token is accepted while its row is good, and no longer', async () => {
    const { token, info } = await issue(['files:read']);
    const good = [200, { sub: 'alice', scope: 'files:read', user: 'alice' }];
    expect(await call('/both', token)).toEqual(good);
    expect(await call('/both', token)).toEqual(good);
    await app.app.get(ApiTokenService).revoke(info.id, { subject: 'alice' });
    const { status, headers, body } = await app.client.send('GET /both', { token });
    expect({ status, body }).toMatchObject({
      status: 401,
      body: { code: 'token_revoked', reason: 'logout' },
    });
    expect(headers['www-authenticate']).toMatch(/^Bearer /);
    // One that was never in the list.
    expect(await call('/both', newApiToken('nlt_', undefined))).toEqual([401, 'token_invalid']);
  });

  it('AccessTokenGuard accepts a JWT as JwtAuthGuard does, and JwtAuthGuard accepts no opaque token', async () => {
    const { access_token: jwt } = await app.client.login();
    expect(await call('/both', jwt)).toEqual([200, { sub: 'alice', scope: null, user: 'alice' }]);
    const { token } = await issue();
    expect((await call('/both', token))[0]).toBe(200);
    expect(await call('/jwt', token)).toEqual([401, 'token_malformed']);
    expect(await call('/jwt', jwt)).toEqual([200, 'read']);
  });

  it('AccessTokenGuard follows the decorators', async () => {
    const { token } = await issue();
    expect(await call('/both/open')).toEqual([200, 'open']);
    expect(await call('/both/strict', token)).toEqual([200, 'strict']);
    // RevocationGuard reads no row, and the events of an account are kept for minutes only (O2).
    expect(await call('/both/twice', token)).toEqual([401, 'token_invalid']);
    expect(await call('/both/optional')).toEqual([200, { sub: null }]);
    expect(await call('/both/optional', token)).toEqual([200, { sub: 'alice' }]);
    expect(await call('/both/optional', 'nlt_x')).toEqual([401, 'token_malformed']);
    expect(await call('/both')).toEqual([401, 'token_missing']);
  });

  it('a logout with an opaque token ends it, and can be repeated', async () => {
    const { token } = await issue();
    for (let times = 0; times < 2; times++) {
      expect((await app.client.send('POST /both/logout', { token })).status).toBe(204);
    }
    expect(await call('/both', token)).toEqual([401, 'token_revoked']);
  });

  it('the routes revoke and introspect accept opaque tokens', async () => {
    const { token } = await issue(['a', 'b']);
    const { access_token: admin } = await app.client.login('admin');
    const introspect = async (): Promise<unknown> =>
      (await app.client.send('POST /auth/introspect', { token: admin, json: { token } })).body;
    expect(await introspect()).toMatchObject({
      active: true,
      token_type: 'Bearer',
      sub: 'alice',
      scope: 'a b',
    });
    expect((await app.client.send('POST /auth/revoke', { json: { token } })).status).toBe(200);
    expect(await introspect()).toEqual({ active: false });
    expect(await call('/both', token)).toEqual([401, 'token_revoked']);
  });

  it('an open connection ends when its opaque token is revoked, however long the token may last', async () => {
    const { token, info } = await issue();
    const claims = await app.app.get(TokenService).verify(token);
    let ended: string | undefined;
    app.app.get(LiveTokens).watch(claims, { onEnd: ({ code }) => (ended = code) });
    expect(ended).toBeUndefined();
    await app.app.get(ApiTokenService).revoke(info.id);
    await eventually(() => ended !== undefined);
    expect(ended).toBe('token_revoked');
  });
});
