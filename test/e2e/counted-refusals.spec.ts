import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Post, Req, UseGuards } from '@nestjs/common';
import {
  ApiTokenService,
  AuthUnauthorizedException,
  CurrentToken,
  JwtAuthGuard,
  RecentLogin,
  SessionService,
  type TokenClaims,
  TokenService,
} from 'nestjs-logout';
import type { IncomingMessage } from 'node:http';
import { ForeignGuard } from '../support/foreign-guard.js';
import type { HttpApp } from '../support/http-app.js';
import { useBothPlatforms } from '../support/http-both.js';
import type { HttpAnswer, HttpClient } from '../support/http-client.js';
import { AuthMeter } from '../support/internals.js';

/** Handlers whose answer is what a service refuses. */
@Controller('handlers')
class HandlersController {
  constructor(
    private readonly sessions: SessionService,
    private readonly tokens: TokenService,
    private readonly apiTokens: ApiTokenService,
  ) {}

  @Post('confirm')
  @UseGuards(JwtAuthGuard)
  async confirm(@CurrentToken() token: TokenClaims): Promise<void> {
    const ended = { ...token, sid: 'of no session' };
    await this.sessions.confirm(ended, () => Promise.resolve({ subject: token.sub }));
  }

  @Get('verify')
  async verify(@Req() { headers }: IncomingMessage): Promise<void> {
    await this.tokens.verifyRequest({ headers });
  }

  @Get('caught')
  async caught(@Req() { headers }: IncomingMessage): Promise<{ good: boolean }> {
    return this.tokens.verifyRequest({ headers }).then(
      () => ({ good: true }),
      () => ({ good: false }),
    );
  }

  @Get('revoke')
  async revoke(): Promise<void> {
    await this.apiTokens.revoke('unknown');
  }

  @Get('own')
  own(): void {
    throw new AuthUnauthorizedException('credentials_invalid', 'The old password is wrong.');
  }

  @RecentLogin('5m')
  @UseGuards(ForeignGuard)
  @Get('foreign')
  foreign(): void {}
}

function countsOf({ app }: HttpApp): Record<string, number> {
  const { refusals, unavailable } = app.get(AuthMeter);
  return { ...refusals, ...unavailable };
}

describe('a refusal is counted once by the metrics', () => {
  const both = useBothPlatforms({
    controllers: [HandlersController],
    options: { apiTokens: true, accessTokenTtl: '1h' },
    http: { recentLogin: '5m' },
  });

  type Ask = (to: HttpClient, app: HttpApp) => Promise<HttpAnswer>;
  const get =
    (path: string): Ask =>
    (to) =>
      to.send(`GET ${path}`, { token: 'x' });
  const wrong = { username: 'alice', password: 'wrong' };

  it.each<[string, string, Ask]>([
    ['a guard', 'token_malformed', get('/me')],
    [
      'sessions.confirm() in a handler',
      'session_ended',
      (to) => asUser(to, 'POST /handlers/confirm'),
    ],
    ['tokens.verifyRequest() in a handler', 'token_malformed', get('/handlers/verify')],
    ['apiTokens.revoke() in a handler', 'not_found', get('/handlers/revoke')],
    ['a handler of the application', 'credentials_invalid', get('/handlers/own')],
    ['RevocationGuard', 'login_too_old', get('/handlers/foreign')],
    ['POST logout', 'token_missing', (to) => to.send('POST /auth/logout')],
    ['POST refresh', 'invalid_request', (to) => to.send('POST /auth/refresh')],
    ['POST login', 'credentials_invalid', (to) => to.send('POST /auth/login', { json: wrong })],
    ['POST confirm', 'credentials_invalid', (to) => asUser(to, 'POST /auth/confirm', wrong)],
    [
      'POST logout-others',
      'login_too_old',
      async (to, { clock }) => {
        const { access_token: token } = await to.login();
        clock.advance(6 * 60_000);
        return to.send('POST /auth/logout-others', { token });
      },
    ],
  ])('a refusal of %s is counted once: %s', async (_, code, ask) => {
    await both.answer(async (to, app) => {
      const before = countsOf(app);
      const answer = await ask(to, app);
      expect(answer.body).toMatchObject({ code });
      expect(countsOf(app)).toEqual({ ...before, [code]: (before[code] ?? 0) + 1 });
      return answer;
    });
  });

  it('a refusal that the application catches is counted, and accepted requests are not', async () => {
    await both.answer(async (to, app) => {
      const before = countsOf(app);
      const answer = await get('/handlers/caught')(to, app);
      expect(answer.body).toEqual({ good: false });
      await asUser(to, 'GET /me');
      const { token_malformed: count = 0 } = before;
      expect(countsOf(app)).toEqual({ ...before, token_malformed: count + 1 });
      return answer;
    });
  });
});

async function asUser(to: HttpClient, call: string, json?: object): Promise<HttpAnswer> {
  const { access_token: token } = await to.login();
  return to.send(call, { token, ...(json === undefined ? {} : { json }) });
}
