import { describe, expect, it } from '@jest/globals';
import { STATUS_CODES } from 'node:http';
import { type Steps, useBothPlatforms } from '../support/http-both.js';
import { PASSWORD } from '../support/http-client.js';
import { mintToken } from '../support/mint-token.js';

const NO_TOKEN = 'A'.repeat(43);
const UNKNOWN_ID = '11111111-2222-4333-8444-555555555555';

const both = useBothPlatforms();

describe('bad input', () => {
  const login =
    (json: unknown): Steps =>
    (to) =>
      to.send('POST /auth/login', { json });
  const refresh =
    (json: unknown): Steps =>
    (to) =>
      to.send('POST /auth/refresh', { json });
  const good = { username: 'alice', password: PASSWORD };

  it.each<[string, Steps, number, string]>([
    ['login without a body', (to) => to.send('POST /auth/login'), 400, 'credentials_missing'],
    ['login with a list', login([good]), 400, 'credentials_missing'],
    [
      'login with a text',
      (to) => to.send('POST /auth/login', { form: 'a' }),
      400,
      'credentials_missing',
    ],
    ['login with a number for a name', login({ ...good, username: 1 }), 400, 'credentials_missing'],
    [
      'login with a list for a password',
      login({ ...good, password: ['x'] }),
      400,
      'credentials_missing',
    ],
    ['login with an empty password', login({ ...good, password: '' }), 400, 'credentials_missing'],
    [
      'login with names twice in a form',
      (to) => to.send('POST /auth/login', { form: 'username=a&username=b&password=c' }),
      400,
      'credentials_missing',
    ],
    ['login with a client that is a number', login({ ...good, client: 7 }), 400, 'invalid_request'],
    [
      'login with a device of 256 characters',
      login({ ...good, device: 'a'.repeat(256) }),
      400,
      'invalid_request',
    ],
    ['login with NUL in the device', login({ ...good, device: 'a\0' }), 400, 'invalid_request'],
    ['login with a wrong password', login({ ...good, password: 'x' }), 401, 'credentials_invalid'],
    [
      'login of an unknown user',
      login({ ...good, username: '__proto__' }),
      401,
      'credentials_invalid',
    ],
    ['refresh without a body', (to) => to.send('POST /auth/refresh'), 400, 'invalid_request'],
    ['refresh with null', refresh({ refresh_token: null }), 400, 'invalid_request'],
    ['refresh with an object', refresh({ refresh_token: {} }), 400, 'invalid_request'],
    [
      'refresh with an unknown token',
      refresh({ refresh_token: NO_TOKEN }),
      401,
      'refresh_token_invalid',
    ],
    [
      'refresh with garbage',
      refresh({ refresh_token: 'é'.repeat(5_000) }),
      401,
      'refresh_token_invalid',
    ],
    [
      'refresh with an access token',
      refresh({ refresh_token: mintToken() }),
      401,
      'refresh_token_invalid',
    ],
    [
      'a refresh token for an access token',
      async (to) => to.send('GET /me', { token: (await to.login()).refresh_token }),
      401,
      'token_malformed',
    ],
    [
      'refresh for another client',
      async (to) => {
        const { refresh_token } = await to.login('alice', { client: 'tv' });
        return to.send('POST /auth/refresh', { json: { refresh_token, client: 'web' } });
      },
      401,
      'refresh_token_invalid',
    ],
    [
      'refresh after logout',
      async (to) => {
        const { access_token: token, refresh_token } = await to.login();
        await to.send('POST /auth/logout', { token });
        return to.send('POST /auth/refresh', { json: { refresh_token } });
      },
      401,
      'session_ended',
    ],
    ['logout with nothing', (to) => to.send('POST /auth/logout'), 401, 'token_missing'],
    [
      'logout with an unknown access token',
      (to) =>
        to.send('POST /auth/logout', { token: mintToken({}, 'another secret, 32 bytes long....') }),
      401,
      'token_invalid',
    ],
    [
      'logout with garbage',
      (to) => to.send('POST /auth/logout', { token: 'garbage' }),
      401,
      'token_malformed',
    ],
    [
      'logout with an over-long header and an unknown refresh token',
      (to) =>
        to.send('POST /auth/logout', {
          token: 'a'.repeat(8_193),
          json: { refresh_token: NO_TOKEN },
        }),
      401,
      'token_malformed',
    ],
    [
      'logout with an access token in the address, beside a valid refresh token',
      async (to) => {
        const { access_token, refresh_token } = await to.login();
        return to.send(`POST /auth/logout?access_token=${access_token}`, {
          json: { refresh_token },
        });
      },
      400,
      'invalid_request',
    ],
    [
      'logout with an unknown refresh token',
      (to) => to.send('POST /auth/logout', { json: { refresh_token: NO_TOKEN } }),
      401,
      'refresh_token_invalid',
    ],
    [
      'logout with a number',
      (to) => to.send('POST /auth/logout', { json: { refresh_token: 1 } }),
      400,
      'invalid_request',
    ],
    [
      'logout-all with an expired token',
      (to) => to.send('POST /auth/logout-all', { token: expired() }),
      401,
      'token_expired',
    ],
    [
      'logout-others with nothing',
      (to) => to.send('POST /auth/logout-others'),
      401,
      'token_missing',
    ],
    ['the list with nothing', (to) => to.send('GET /auth/sessions'), 401, 'token_missing'],
    [
      'an unknown session',
      async (to) =>
        to.send(`DELETE /auth/sessions/${UNKNOWN_ID}`, { token: (await to.login()).access_token }),
      404,
      'not_found',
    ],
    [
      'a session that is not an id',
      async (to) =>
        to.send(`DELETE /auth/sessions/%00`, { token: (await to.login()).access_token }),
      404,
      'not_found',
    ],
    [
      'revoke without a token',
      (to) => to.send('POST /auth/revoke', { json: {} }),
      400,
      'invalid_request',
    ],
    [
      'revoke of a list',
      (to) => to.send('POST /auth/revoke', { form: 'token=a&token=b' }),
      400,
      'invalid_request',
    ],
    ['introspect with nothing', (to) => to.send('POST /auth/introspect'), 401, 'token_missing'],
    [
      'introspect as anybody',
      async (to) =>
        to.send('POST /auth/introspect', {
          token: (await to.login()).access_token,
          json: { token: 'x' },
        }),
      403,
      'forbidden',
    ],
    [
      'introspect of nothing',
      async (to) =>
        to.send('POST /auth/introspect', {
          token: (await to.login('admin')).access_token,
          json: {},
        }),
      400,
      'invalid_request',
    ],
  ])('a bad request is refused: %s', async (_, steps, status, code) => {
    const answer = await both.answer(steps);
    expect(answer.status).toBe(status);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.cookies).toEqual([]);
    expect(answer.body).toEqual({
      ...(code === 'session_ended' ? { reason: 'logout' } : {}),
      statusCode: status,
      error: STATUS_CODES[status],
      message: expect.any(String),
      code,
    });
    if (status === 401) expect(answer.headers['www-authenticate']).toMatch(/^Bearer realm="api"/);
  });

  it('bad input leaves another account’s session alone', async () => {
    const answer = await both.answer(async (to) => {
      const [alice, bob] = [await to.login('alice'), await to.login('bob')];
      const tried = await to.send(`DELETE /auth/sessions/${bob.session_id}`, {
        token: alice.access_token,
      });
      expect((await to.send('GET /me', { token: bob.access_token })).status).toBe(200);
      return tried;
    });
    const unknown = await both.answer(async (to) =>
      to.send(`DELETE /auth/sessions/${UNKNOWN_ID}`, { token: (await to.login()).access_token }),
    );
    expect(answer).toEqual(unknown);
  });
});

/** Rightly signed, and over for a minute. */
function expired(sid?: string): string {
  const now = Math.floor(Date.now() / 1000);
  return mintToken({ iat: now - 120, exp: now - 60, ...(sid === undefined ? {} : { sid }) });
}
