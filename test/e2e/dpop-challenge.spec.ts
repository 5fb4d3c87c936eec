import { describe, expect, it } from '@jest/globals';
import { Controller, Get, UseGuards } from '@nestjs/common';
import { AuthUnauthorizedException, JwtAuthGuard, RecentLogin } from 'nestjs-logout';
import { codeOf, DpopClient, LOGIN } from '../support/dpop-client.js';
import { ForeignGuard } from '../support/foreign-guard.js';
import type { HttpApp } from '../support/http-app.js';
import { useBothPlatforms } from '../support/http-both.js';
import type { HttpAnswer, HttpClient } from '../support/http-client.js';

const MINUTE = 60_000;

/** What a client that does not use DPoP would be sent, with the scheme and the algorithms of DPoP. */
const CHALLENGE =
  /^DPoP realm="api"(?:, [a-z_]+="[^"]+")*, algs="ES256 ES384 EdDSA Ed25519 PS256"$/;

@Controller('account')
class AccountController {
  @RecentLogin('5m') @UseGuards(JwtAuthGuard) @Get('recent') recent(): void {}
  @RecentLogin('5m') @UseGuards(ForeignGuard) @Get('foreign') foreign(): void {}
  @UseGuards(JwtAuthGuard) @Get('service') service(): void {
    throw new AuthUnauthorizedException('session_ended', 'Thrown by a handler.');
  }
}

function get(to: HttpClient, path: string, headers: Record<string, string>): Promise<HttpAnswer> {
  return to.send(`GET ${path}`, { headers });
}

describe('the challenge to a client that uses DPoP', () => {
  const both = useBothPlatforms({
    controllers: [AccountController],
    options: { binding: { dpop: 'optional' }, accessTokenTtl: '10m' },
  });

  it.each<[string, (client: DpopClient, to: HttpClient, app: HttpApp) => Promise<HttpAnswer>]>([
    ['token_malformed', (client) => client.me('x')],
    ['token_malformed', (_, to) => get(to, '/me', { authorization: 'DPoP' })],
    ['token_missing', (_, to) => get(to, '/me', { dpop: 'x' })],
    [
      'token_expired',
      async (client, _, { clock }) => {
        const { access_token: token } = await client.login();
        clock.advance(60 * MINUTE);
        return client.me(token);
      },
    ],
    [
      'session_ended',
      async (client, to) => {
        const { access_token: token } = await client.login();
        await to.send('POST /auth/logout', { token });
        return client.me(token);
      },
    ],
    [
      'session_ended',
      async (client) => client.get('/account/service', (await client.login()).access_token),
    ],
    [
      'login_too_old',
      async (client, _, { clock }) => {
        const { access_token: token } = await client.login();
        clock.advance(6 * MINUTE);
        return client.get('/account/recent', token);
      },
    ],
    ['refresh_token_invalid', (client) => client.post('/auth/refresh', { refresh_token: 'x' })],
    ['credentials_invalid', (client) => client.post('/auth/login', { ...LOGIN, password: 'x' })],
  ])('the challenge for %s has the scheme DPoP', async (code, ask) => {
    const answer = await both.answer((to, app) => ask(new DpopClient(to, app), to, app));
    expect(codeOf(answer)).toBe(`401 ${code}`);
    expect(answer.headers['www-authenticate']).toMatch(CHALLENGE);
  });

  it('a token in the query gets the challenge of DPoP too', async () => {
    const answer = await both.answer((to) =>
      get(to, '/me?access_token=x', { authorization: 'DPoP x' }),
    );
    expect(codeOf(answer)).toBe('400 invalid_request');
    expect(answer.headers['www-authenticate']).toMatch(CHALLENGE);
  });

  it('a client of bearer tokens gets the challenge of Bearer', async () => {
    const answer = await both.answer(async (to, { clock }) => {
      const { access_token: token } = await to.login();
      clock.advance(6 * MINUTE);
      return to.send('GET /account/recent', { token });
    });
    expect(codeOf(answer)).toBe('401 login_too_old');
    expect(answer.headers['www-authenticate']).toMatch(
      /^Bearer realm="api", [^,]+, [^,]+,[^,]+, max_age="300"$/,
    );
  });
});

describe('without binding.dpop', () => {
  const both = useBothPlatforms({ controllers: [AccountController] });

  it('a request with the scheme DPoP is answered that the API takes bearer tokens', async () => {
    const headers = { authorization: 'DPoP x', dpop: 'x' };
    const answer = await both.answer((to) => to.send('GET /me', { headers }));
    expect(codeOf(answer)).toBe('401 token_missing');
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="api"');
  });

  it('RevocationGuard answers in the scheme of the guard before it', async () => {
    const challenge = async (authorization: string): Promise<string> => {
      const answer = await both.answer((to) => get(to, '/account/foreign', { authorization }));
      expect(codeOf(answer)).toBe('401 login_too_old');
      return answer.headers['www-authenticate'] ?? '';
    };
    expect(await challenge('DPoP x')).toMatch(/^DPoP realm="api", .*, max_age="300"$/);
    expect(await challenge('Bearer x')).toMatch(/^Bearer realm="api", .*, max_age="300"$/);
  });
});

describe('binding.dpop with cookies', () => {
  const both = useBothPlatforms({
    http: { cookies: true },
    options: { binding: { dpop: 'optional' } },
  });

  it('a refresh without a token but with a proof gets the challenge of DPoP', async () => {
    const answer = await both.answer((to, app) =>
      new DpopClient(to, app).post('/auth/refresh', {}),
    );
    expect(codeOf(answer)).toBe('401 token_missing');
    expect(answer.headers['www-authenticate']).toMatch(CHALLENGE);
  });
});

describe("binding.dpop: 'required'", () => {
  const both = useBothPlatforms({ options: { binding: { dpop: 'required' } } });

  it('a request without a token gets the challenge of DPoP', async () => {
    const answer = await both.answer((to) => to.send('GET /me'));
    expect(codeOf(answer)).toBe('401 token_missing');
    expect(answer.headers['www-authenticate']).toMatch(CHALLENGE);
  });
});
