import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { AuthEvents, AuthUnavailableException } from 'nestjs-logout';
import { useBothPlatforms } from '../support/http-both.js';
import { cookiesOf, type HttpAnswer, PASSWORD } from '../support/http-client.js';
import { RefreshTokenLookup } from '../support/internals.js';

const REFRESH = '__Host-refresh';

const bodies = useBothPlatforms();
const browsers = useBothPlatforms({ http: { cookies: true } });

afterEach(() => void jest.restoreAllMocks());

describe('refresh tokens over HTTP', () => {
  it('S17: a token whose successor logged out in a body is reported, and the answer does not tell', async () => {
    const reported: unknown[] = [];
    const answer = await bodies.answer(async (to, { app }) => {
      app.get(AuthEvents).subscribe(({ type, reuse }) => reported.push(reuse ?? type));
      const { refresh_token } = await to.login();
      const next = await to.send('POST /auth/refresh', { json: { refresh_token } });
      await to.send('POST /auth/logout', { json: next.body });
      return to.send('POST /auth/refresh', { json: { refresh_token } });
    });
    expect(answer).toMatchObject({ status: 401, body: { code: 'session_ended' } });
    expect(reported.filter((each) => each === 'after_end')).toHaveLength(2);
  });

  it('S17: a token whose successor logged out in a cookie is reported', async () => {
    const reported: unknown[] = [];
    await browsers.answer(async (to, { app }) => {
      app.get(AuthEvents).subscribe(({ type, reuse }) => reported.push(reuse ?? type));
      const stolen = await to.loginWithCookies();
      const cookies = cookiesOf(await to.send('POST /auth/refresh', { cookies: stolen }));
      await to.send('POST /auth/logout', { cookies });
      return to.send('POST /auth/refresh', { cookies: stolen });
    });
    expect(reported.filter((each) => each === 'after_end')).toHaveLength(2);
  });

  it('S1: a login succeeds while the cookie of an earlier session cannot be looked up', async () => {
    const answer = await browsers.answer(async (to, { app }): Promise<HttpAnswer> => {
      jest
        .spyOn(app.get(RefreshTokenLookup), 'find')
        .mockRejectedValue(
          new AuthUnavailableException('storage_unavailable', 'The queue is full.'),
        );
      return to.send('POST /auth/login', {
        json: { username: 'alice', password: PASSWORD },
        cookies: { [REFRESH]: 'A'.repeat(43) },
      });
    });
    expect(answer.status).toBe(200);
  });
});
