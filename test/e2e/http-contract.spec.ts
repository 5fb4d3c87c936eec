import { describe, expect, it } from '@jest/globals';
import { UsersVerifier } from '../support/http-app.js';
import { type Steps, useBothPlatforms } from '../support/http-both.js';
import { PASSWORD } from '../support/http-client.js';
import { mintToken } from '../support/mint-token.js';

const NO_STORE = { headers: { 'cache-control': 'no-store' } };

const both = useBothPlatforms();

describe('successful answers', () => {
  const TOKENS = {
    access_token: '<access>',
    token_type: 'Bearer',
    expires_in: 0,
    refresh_token: '<refresh>',
    refresh_expires_in: 1_209_600,
    idle_expires_in: 1_209_600,
    session_expires_in: 2_592_000,
    refresh_at: '<time>',
    session_id: '<id>',
  };
  const SESSION = {
    id: '<id>',
    current: true,
    client: 'web',
    device: 'laptop',
    ip: '127.0.0.0',
    created_at: '<time>',
    last_seen_at: '<time>',
    expires_at: '<time>',
  };

  it.each<[string, Steps, number, unknown]>([
    [
      'login',
      (to) => to.send('POST /auth/login', { json: { username: 'bob', password: PASSWORD } }),
      200,
      TOKENS,
    ],
    [
      'login by a form',
      (to) => to.send('POST /auth/login', { form: `username=bob&password=open+sesame` }),
      200,
      TOKENS,
    ],
    [
      'refresh',
      async (to) => {
        const { refresh_token } = await to.login();
        return to.send('POST /auth/refresh', { json: { refresh_token } });
      },
      200,
      TOKENS,
    ],
    [
      'logout',
      async (to) => to.send('POST /auth/logout', { token: (await to.login()).access_token }),
      204,
      '',
    ],
    [
      'logout-others',
      async (to) => to.send('POST /auth/logout-others', { token: (await to.login()).access_token }),
      204,
      '',
    ],
    [
      'logout-all',
      async (to) => to.send('POST /auth/logout-all', { token: (await to.login()).access_token }),
      204,
      '',
    ],
    [
      'the list of sessions',
      async (to) => {
        const { access_token: token } = await to.login('alice', {
          client: 'web',
          device: 'laptop',
        });
        return to.send('GET /auth/sessions', { token });
      },
      200,
      [SESSION],
    ],
    [
      'the keys: a secret is none',
      (to) => to.send('GET /.well-known/jwks.json'),
      200,
      { keys: [] },
    ],
  ])('the route answers as documented: %s', async (_, steps, status, body) => {
    expect(await both.answer(steps)).toMatchObject({ ...NO_STORE, status, body, cookies: [] });
  });

  it('the verifier gets the credentials and the request', async () => {
    for (const { app } of both.apps) {
      const { seen } = app.get(UsersVerifier, { strict: false });
      expect(seen[0]).toEqual({
        credentials: { username: 'bob', password: PASSWORD },
        ip: '127.0.0.1',
      });
    }
  });
});

describe('the ways a login ends', () => {
  it.each<[string, Steps, number]>([
    [
      'an expired access token logs out',
      async (to) => {
        const { session_id, access_token: token } = await to.login();
        const answer = await to.send('POST /auth/logout', { token: expired(session_id) });
        expect((await to.send('GET /me', { token })).body).toMatchObject({
          code: 'session_ended',
          reason: 'logout',
        });
        return answer;
      },
      204,
    ],
    [
      'a refresh token logs out, and again',
      async (to) => {
        const { access_token: token, refresh_token } = await to.login();
        await to.send('POST /auth/logout', { json: { refresh_token } });
        expect((await to.send('GET /me', { token })).body).toMatchObject({
          code: 'session_ended',
          reason: 'logout',
        });
        return to.send('POST /auth/logout', { json: { refresh_token } });
      },
      204,
    ],
    ...(
      [
        ['over-long', `Bearer ${'a'.repeat(8_193)}`],
        ['empty', 'Bearer'],
        ['with two spaces', 'Bearer  x'],
      ] as const
    ).map(([what, authorization]): [string, Steps, number] => [
      `an Authorization header ${what} does not prevent a logout with a valid refresh token`,
      async (to) => {
        const { access_token: token, refresh_token } = await to.login();
        const answer = await to.send('POST /auth/logout', {
          headers: { authorization },
          json: { refresh_token },
        });
        expect((await to.send('GET /me', { token })).status).toBe(401);
        return answer;
      },
      204,
    ]),
    [
      'where there are no cookies, a page of any origin logs its own token out',
      async (to) => {
        const { access_token: token } = await to.login();
        const headers = { origin: 'https://app.example', 'sec-fetch-site': 'cross-site' };
        return to.send('POST /auth/logout', { token, headers });
      },
      204,
    ],
    [
      'a bad access token does not prevent a logout with a valid refresh token',
      async (to) => {
        const { access_token: token, refresh_token } = await to.login();
        const answer = await to.send('POST /auth/logout', {
          token: 'garbage',
          json: { refresh_token },
        });
        expect((await to.send('GET /me', { token })).status).toBe(401);
        return answer;
      },
      204,
    ],
    [
      'logging out there leaves here alone',
      async (to) => {
        const [here, there] = [await to.login(), await to.login()];
        const answer = await to.send(`DELETE /auth/sessions/${there.session_id}`, {
          token: here.access_token,
        });
        expect((await to.send('GET /me', { token: here.access_token })).status).toBe(200);
        expect((await to.send('GET /me', { token: there.access_token })).body).toMatchObject({
          reason: 'logged_out_elsewhere',
        });
        return answer;
      },
      204,
    ],
    [
      'logout-others ends the others',
      async (to) => {
        const [here, there] = [await to.login(), await to.login()];
        const answer = await to.send('POST /auth/logout-others', { token: here.access_token });
        expect((await to.send('GET /me', { token: here.access_token })).status).toBe(200);
        expect((await to.send('GET /me', { token: there.access_token })).status).toBe(401);
        return answer;
      },
      204,
    ],
    [
      'a session that ended is not found any more',
      async (to) => {
        const [here, there] = [await to.login(), await to.login()];
        await to.send(`DELETE /auth/sessions/${there.session_id}`, { token: here.access_token });
        return to.send(`DELETE /auth/sessions/${there.session_id}`, { token: here.access_token });
      },
      404,
    ],
    [
      'GET logs no one out',
      async (to) => {
        const { access_token: token } = await to.login('bob');
        expect((await to.send('GET /auth/logout', { token })).status).toBe(404);
        return to.send('POST /auth/logout-others', { token });
      },
      204,
    ],
  ])('a login ends as documented: %s', async (_, steps, status) => {
    expect(await both.answer(steps)).toMatchObject({ ...NO_STORE, status });
  });
});

/** Rightly signed, and over for a minute. */
function expired(sid?: string): string {
  const now = Math.floor(Date.now() / 1000);
  return mintToken({ iat: now - 120, exp: now - 60, ...(sid === undefined ? {} : { sid }) });
}
