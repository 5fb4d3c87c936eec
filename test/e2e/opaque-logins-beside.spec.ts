import { describe, expect, it } from '@jest/globals';
import { Controller, Get, UseGuards } from '@nestjs/common';
import {
  AccessTokenGuard,
  CurrentToken,
  LogoutService,
  RecentLogin,
  SessionService,
  type TokenClaims,
} from 'nestjs-logout';
import { createSecretKey } from 'node:crypto';
import { useBothPlatforms } from '../support/http-both.js';
import { type HttpAnswer, type HttpClient, PASSWORD, type Pair } from '../support/http-client.js';
import { signRaw } from '../support/raw-signature.js';

const HOME = '203.0.113.7';
const AWAY = '198.51.100.9';
const LOGIN = { username: 'alice', password: PASSWORD };
const RECIPE_SECRET = 'the secret of the recipe, which is long enough for HS256';
const MINUTE = 60_000;

@Controller('both')
@UseGuards(AccessTokenGuard)
class BothController {
  @Get()
  read(@CurrentToken() { sub, sid }: TokenClaims): object {
    return { sub, hasSession: sid !== undefined };
  }

  @RecentLogin('5m')
  @Get('recent')
  recent(): void {}
}

const OPAQUE = { apiTokens: true, accessTokens: 'opaque' } as const;

const codeOf = ({ status, body }: HttpAnswer): string =>
  `${status} ${(body as { code?: string } | undefined)?.code ?? 'ok'}`;

const both = (to: HttpClient, token: string, headers: Record<string, string> = {}) =>
  to.send('GET /both', { token, headers });

describe("accessTokens: 'opaque' with binding.ip", () => {
  const platforms = useBothPlatforms({
    controllers: [BothController],
    trustProxy: ['127.0.0.1'],
    options: { ...OPAQUE, binding: { ip: 'exact' } },
  });
  const from = (address: string): Record<string, string> => ({ 'x-forwarded-for': address });

  it('a bound opaque token is accepted at the address of its login only, also once it is remembered', async () => {
    await platforms.answer(async (to) => {
      const login = await to.send('POST /auth/login', { json: LOGIN, headers: from(HOME) });
      const { access_token: token, refresh_token } = login.body as Pair;
      expect(token).toMatch(/^nlt_/);
      for (let times = 0; times < 2; times++) {
        expect(codeOf(await both(to, token, from(AWAY)))).toBe('401 binding_mismatch');
        expect(codeOf(await both(to, token, from(HOME)))).toBe('200 ok');
      }
      const refresh = (address: string): Promise<HttpAnswer> =>
        to.send('POST /auth/refresh', { json: { refresh_token }, headers: from(address) });
      expect(codeOf(await refresh(AWAY))).toBe('401 binding_mismatch');
      const { access_token: next } = (await refresh(HOME)).body as Pair;
      expect(next).toMatch(/^nlt_/);
      expect(codeOf(await both(to, next, from(AWAY)))).toBe('401 binding_mismatch');
      return both(to, next, from(HOME));
    });
  });
});

describe("accessTokens: 'opaque' with legacy", () => {
  const platforms = useBothPlatforms({
    controllers: [BothController],
    options: {
      ...OPAQUE,
      legacy: { secret: RECIPE_SECRET, until: new Date(Date.now() + 86_400_000) },
    },
  });
  const recipeToken = (): string => {
    const secret = createSecretKey(Buffer.from(RECIPE_SECRET));
    const key = {
      kid: '',
      alg: 'HS256',
      verify: secret,
      sign: secret,
      secretHalf: secret,
    } as const;
    const iat = Math.floor(Date.now() / 1000);
    const claims = { sub: 'alice', username: 'alice', iat, exp: iat + 3_600 };
    return signRaw(key, JSON.stringify({ alg: 'HS256', typ: 'JWT' }), JSON.stringify(claims));
  };

  it('tokens of the recipe and opaque ones are accepted side by side, and end together', async () => {
    await platforms.answer(async (to, { app }) => {
      const old = recipeToken();
      const { access_token: token } = await to.login();
      expect(token).toMatch(/^nlt_/);
      const answers = [await both(to, old), await both(to, token)];
      expect(answers.map(({ body }) => body)).toEqual([
        { sub: 'alice', hasSession: false },
        { sub: 'alice', hasSession: true },
      ]);
      await app.get(LogoutService).logoutAll('alice');
      expect(codeOf(await both(to, old))).toBe('401 session_ended');
      return both(to, token);
    });
  });
});

describe("accessTokens: 'opaque' with sessions.confirm()", () => {
  const platforms = useBothPlatforms({
    controllers: [BothController],
    options: { ...OPAQUE, accessTokenTtl: '1h' },
  });
  const recent = (to: HttpClient, token: string): Promise<HttpAnswer> =>
    to.send('GET /both/recent', { token });

  it('the route and the service return an opaque token of the same session with a recent login', async () => {
    await platforms.answer(async (to, { app, clock }) => {
      const { access_token: old, session_id } = await to.login();
      clock.advance(6 * MINUTE);
      expect(codeOf(await recent(to, old))).toBe('401 login_too_old');
      const { body } = await to.send('POST /auth/confirm', { token: old, json: LOGIN });
      expect(body).toMatchObject({ session_id, token_type: 'Bearer' });
      const { access_token: fresh } = body as Pair;
      expect(fresh).toMatch(/^nlt_/);
      expect(codeOf(await recent(to, fresh))).toBe('200 ok');
      expect(codeOf(await both(to, old))).toBe('200 ok');

      clock.advance(6 * MINUTE);
      const confirmed = await app
        .get(SessionService)
        .confirm(fresh, () => Promise.resolve({ subject: 'alice' }));
      expect(confirmed?.accessToken).toMatch(/^nlt_/);
      expect(codeOf(await recent(to, confirmed?.accessToken ?? ''))).toBe('200 ok');
      await app.get(LogoutService).logout(old);
      expect(codeOf(await both(to, fresh))).toBe('401 session_ended');
      return recent(to, confirmed?.accessToken ?? '');
    });
  });
});
