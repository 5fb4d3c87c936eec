import { describe, expect, it } from '@jest/globals';
import { AuthCookies, type CookieResponse, type LoginResult } from 'nestjs-logout';
import { cookies as readCookies } from '../support/internals.js';

const KEPT = 'Path=/; HttpOnly; Secure; SameSite=Strict';
const LOGIN: LoginResult = {
  accessToken: 'access',
  expiresIn: 900,
  refreshAt: 0,
  idleExpiresIn: 5_000,
  sessionExpiresIn: 9_000,
  sessionId: '11111111-2222-4333-8444-555555555555',
};

describe('the cookies that AuthCookies.set writes for a login', () => {
  it.each<[string, Partial<LoginResult>, string[]]>([
    [
      'both tokens',
      { refreshToken: 'refresh', refreshExpiresIn: 5_000 },
      [
        `__Host-access=access; Max-Age=5000; ${KEPT}`,
        `__Host-refresh=refresh; Max-Age=5000; ${KEPT}`,
      ],
    ],
    [
      'no refresh token: its cookie is left alone, the access cookie lasts as long as its token',
      {},
      [`__Host-access=access; Max-Age=900; ${KEPT}`],
    ],
    [
      'no refresh token, but how long that of a quicker tab lasts',
      { refreshExpiresIn: 5_000 },
      [`__Host-access=access; Max-Age=5000; ${KEPT}`],
    ],
  ])('the cookies of a login: %s', (_, extra, lines) => {
    const cookies = new AuthCookies(readCookies(true, 'http.cookies'));
    const response = new StubResponse();
    cookies.set(response, { ...LOGIN, ...extra });
    expect(response.getHeader('set-cookie')).toEqual(lines);
  });
});

/** Keeps the headers it is given. */
class StubResponse implements CookieResponse {
  private readonly headers = new Map<string, unknown>();

  getHeader(name: string): unknown {
    return this.headers.get(name.toLowerCase());
  }

  removeHeader(name: string): void {
    this.headers.delete(name.toLowerCase());
  }

  header(name: string, value: string | string[]): void {
    this.headers.set(name.toLowerCase(), value);
  }
}
