import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  HttpCode,
  Injectable,
  Post,
  UseGuards,
} from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import {
  CurrentToken,
  LogoutService,
  RecentLogin,
  RevocationGuard,
  type TokenClaims,
} from 'nestjs-logout';
import { sqlite, type TestDatabase } from '../support/databases.js';
import { fetchOnce } from '../support/fetch-once.js';
import { type Instance, startInstance } from '../support/instance.js';

const PARTNER = 'https://partner.test';
/** Has its own claims for the ids of tokens and sessions. */
const MAPPED = 'https://mapped.test';

/** In place of another authentication: the claims arrive verified, as JSON in a header. */
@Injectable()
class GatewayGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest();
    request.user = JSON.parse(String(request.headers['x-verified-claims']));
    return true;
  }
}

@Injectable()
class GatewayRevocationGuard extends RevocationGuard {
  protected override getClaims(context: ExecutionContext): TokenClaims {
    return context.switchToHttp().getRequest().user;
  }
}

@Controller()
class GatewayController {
  constructor(private readonly logoutService: LogoutService) {}

  @Get('good')
  @UseGuards(GatewayGuard, GatewayRevocationGuard)
  good(): string {
    return 'in';
  }

  @Get('recent')
  @RecentLogin('5m')
  @UseGuards(GatewayGuard, GatewayRevocationGuard)
  recent(): string {
    return 'in';
  }

  @Get('current')
  @UseGuards(GatewayGuard, GatewayRevocationGuard)
  current(@CurrentToken() token: TokenClaims): TokenClaims {
    return token;
  }

  @Post('logout')
  @HttpCode(204)
  @UseGuards(GatewayGuard, GatewayRevocationGuard)
  async logout(@CurrentToken() token: TokenClaims): Promise<void> {
    await this.logoutService.logout(token);
  }

  @Get('unwired')
  @UseGuards(RevocationGuard)
  unwired(): string {
    return 'in';
  }
}

describe('RevocationGuard behind other authentication', () => {
  let database: TestDatabase;
  let instance: Instance;
  let url: string;

  beforeAll(async () => {
    database = await sqlite.migrated();
    instance = await startInstance(database, {
      controllers: [GatewayController],
      options: {
        foreign: [
          { issuer: PARTNER, maxTokenLife: '1h', maxSessionLife: '30d' },
          {
            issuer: MAPPED,
            maxTokenLife: '1h',
            maxSessionLife: '30d',
            claims: { jti: 'uti', sid: 'origin_jti' },
          },
        ],
      },
    });
    await instance.app.listen(0, '127.0.0.1');
    url = await instance.app.getUrl();
  });

  afterAll(async () => {
    await instance?.close();
    await database?.drop();
  });

  const claims = (more: object = {}): TokenClaims => {
    const iat = Math.floor(Date.now() / 1000) - 60;
    return { iss: PARTNER, sub: 'carol', jti: randomUUID(), iat, exp: iat + 600, ...more };
  };
  const ask = async (given: object, path = 'good'): Promise<[number, string | undefined]> => {
    const headers = { 'x-verified-claims': JSON.stringify(given) };
    const response = await fetchOnce(`${url}/${path}`, { headers });
    const text = await response.text();
    return [response.status, text === 'in' ? undefined : JSON.parse(text).code];
  };

  it('RevocationGuard accepts a token of a registered issuer until it is logged out', async () => {
    const token = claims();
    expect(await ask(token)).toEqual([200, undefined]);
    await instance.logout.logout(token);
    expect(await ask(token)).toEqual([401, 'token_revoked']);
    expect(await ask(claims())).toEqual([200, undefined]);
  });

  it('RevocationGuard applies @RecentLogin() to the auth_time of the other issuer', async () => {
    const now = Math.floor(Date.now() / 1000);
    expect(await ask(claims({ auth_time: now - 200 }), 'recent')).toEqual([200, undefined]);
    expect(await ask(claims({ auth_time: now - 400 }), 'recent')).toEqual([401, 'login_too_old']);
    expect(await ask(claims(), 'recent')).toEqual([401, 'login_too_old']);
  });

  it('foreign tokens are revoked by jti, by sid and by sub, each for this issuer only', async () => {
    const session = claims({ sid: 'shared-id', sub: 'dora' });
    const ours = { ...session, iss: 'https://issuer.test', gen: 0 };
    await instance.logout.logout(session);
    expect(await ask(session)).toEqual([401, 'session_ended']);
    expect(await ask(ours)).toEqual([200, undefined]);

    const account = claims({ sub: 'erin' });
    await instance.logout.logoutAll('erin', { issuer: PARTNER });
    expect(await ask(account)).toEqual([401, 'session_ended']);
    expect(await ask({ ...account, iss: 'https://issuer.test', gen: 0 })).toEqual([200, undefined]);
  });

  it('tokens without gen are refused in the same second as a logoutAll, and accepted later', async () => {
    await instance.logout.logoutAll('fred', { issuer: PARTNER });
    const now = Math.floor(Date.now() / 1000);
    expect(await ask(claims({ sub: 'fred', iat: now, exp: now + 60 }))).toEqual([
      401,
      'session_ended',
    ]);
    // The skew that is allowed to a foreign host (clockTolerance, 5 s) and a second more.
    const later = now + 7;
    expect(await ask(claims({ sub: 'fred', iat: later, exp: later + 60 }))).toEqual([
      200,
      undefined,
    ]);
  });

  it.each([
    ['an issuer that is not registered', { iss: 'https://evil.test' }],
    ['no id at all', { sub: undefined, jti: undefined }],
    ['an empty id', { jti: '' }],
    ['an id that is not a string', { jti: 7 }],
    ['no expiry', { exp: undefined }],
    ['a longer lifetime than is registered', { exp: Math.floor(Date.now() / 1000) + 90_000 }],
    ['an expiry that JSON calls infinite', { exp: 1e300 }],
  ])('RevocationGuard refuses %s, which could not be revoked', async (_, more) => {
    expect(await ask(claims(more))).toEqual([401, 'token_invalid']);
  });

  describe('tokens with neither jti nor sid', () => {
    /** As its issuer signs it: only the middle part is read here. */
    const textOf = (payload: string): string =>
      `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.${Buffer.from(payload).toString('base64url')}.c2lnbmF0dXJl`;
    const call = async (
      given: object,
      { path = 'good', text = textOf(JSON.stringify(given)), method = 'GET' } = {},
    ): Promise<Response> =>
      fetch(`${url}/${path}`, {
        method,
        headers: {
          'x-verified-claims': JSON.stringify(given),
          ...(text === '' ? {} : { authorization: `Bearer ${text}` }),
        },
      });
    const bare = (more: object = {}): TokenClaims => claims({ jti: undefined, ...more });

    it('tokens with neither jti nor sid are revoked one by one, by @CurrentToken() behind RevocationGuard', async () => {
      const one = bare({ nonce: 1 });
      const other = bare({ nonce: 2 });
      expect((await call(one)).status).toBe(200);
      expect((await call(one, { path: 'logout', method: 'POST' })).status).toBe(204);
      const refused = await call(one);
      expect([refused.status, ((await refused.json()) as { code?: string }).code]).toEqual([
        401,
        'token_revoked',
      ]);
      expect((await call(other)).status).toBe(200);
    });

    it('tokens with neither jti nor sid are revoked in every spelling of their claims', async () => {
      const { iss, sub, iat, exp } = bare();
      await call(bare({ iat, exp }), { path: 'logout', method: 'POST' });
      const spelt = `{ "exp":${exp}.0, "sub":"\\u0063arol","iat" : ${iat}, "iss":"${iss}" }`;
      expect((await call({ iss, sub, iat, exp }, { text: textOf(spelt) })).status).toBe(401);
    });

    it('claims with neither jti nor sid are refused without their text, and with the text of another token', async () => {
      const one = bare();
      expect((await call(one, { text: '' })).status).toBe(401);
      const text = textOf(JSON.stringify({ ...one, exp: (one.exp ?? 0) + 1 }));
      expect((await call(one, { text })).status).toBe(401);
      expect((await call(one, { text: 'opaque' })).status).toBe(401);
    });

    it.each([
      ['account', { sub: 'dora' }],
      ['no account', { sub: undefined, azp: 'client' }],
      ['nonce', { nonce: 2 }],
      ['list', { amr: ['pwd', 'otp'] }],
    ])(
      'claims are refused with the text of a token of another %s that is as old',
      async (_, more) => {
        const one = bare({ nonce: 1, amr: ['pwd'] });
        const token = textOf(JSON.stringify({ ...one, ...more }));
        await instance.logout.logout(one, { token: textOf(JSON.stringify(one)) });
        await expect(instance.revocation.assertActive(one, { token })).rejects.toMatchObject({
          code: 'token_invalid',
        });
        const { sub, iss, iat, exp } = one;
        const few = { sub, iss, iat, exp, amr: ['pwd'], added: { by: 'the application' } };
        await expect(
          instance.revocation.assertActive(few, { token: textOf(JSON.stringify(one)) }),
        ).rejects.toMatchObject({ code: 'token_revoked' });
      },
    );

    it('claims are refused without their text also for our own issuer', async () => {
      const { revocation, logout } = instance;
      const one = bare({ iss: 'https://issuer.test', nonce: 1 });
      const other = { ...one, nonce: 2 };
      const token = textOf(JSON.stringify(one));
      await revocation.assertActive(one, { token });
      await logout.logout(one, { token });
      const refusals = [
        [revocation.assertActive(one, { token }), 'token_revoked'],
        [revocation.assertActive(one), 'token_invalid'],
        [revocation.assertActive(other), 'token_invalid'],
      ] as const;
      for (const [refused, code] of refusals) {
        await expect(refused).rejects.toMatchObject({ status: 401, code });
      }
      expect((await call(other)).status).toBe(200);
      expect((await call(other, { text: '' })).status).toBe(401);
    });

    it('tokens with neither jti nor sid are revoked through assertActive and logout with text and claims', async () => {
      const one = bare({ nonce: 3 });
      const token = textOf(JSON.stringify(one));
      const { revocation, logout } = instance;
      await revocation.assertActive(one, { token });
      await expect(logout.logout(one)).rejects.toMatchObject({ code: 'nothing_to_revoke' });
      await logout.logout({ ...one, added: 'by the application' } as TokenClaims, { token });
      await expect(revocation.assertActive(one, { token })).rejects.toMatchObject({
        code: 'token_revoked',
      });
      await expect(revocation.assertActive(one)).rejects.toMatchObject({ code: 'token_invalid' });
    });

    it('tokens are revoked by the claims that the option foreign names for their issuer', async () => {
      const session = randomUUID();
      const one = bare({ iss: MAPPED, uti: 'a', origin_jti: session });
      const same = bare({ iss: MAPPED, uti: 'b', origin_jti: session });
      const alone = bare({ iss: MAPPED, uti: 'c' });
      expect(await (await call(one, { path: 'current', text: '' })).json()).toMatchObject({
        jti: 'a',
        sid: session,
      });
      await instance.logout.logout(one);
      await instance.logout.logout(alone);
      expect((await call(same, { text: '' })).status).toBe(401);
      expect((await call(alone, { text: '' })).status).toBe(401);
      expect((await call(bare({ iss: MAPPED, uti: 'd' }), { text: '' })).status).toBe(200);
      // Its jti is no id for this issuer.
      expect((await call(claims({ iss: MAPPED }), { text: '' })).status).toBe(401);
    });
  });

  it('RevocationGuard without authentication before it is a wiring error, and accepts no request', async () => {
    const response = await fetchOnce(`${url}/unwired`);
    expect(response.status).toBe(500);
  });
});
