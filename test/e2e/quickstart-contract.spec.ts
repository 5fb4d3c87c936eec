import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { secretKid } from 'nestjs-logout';
import { type Quickstart, startBoth } from '../support/both-platforms.js';
import { mintToken, SHARED_SECRET } from '../support/mint-token.js';
import { DEMO_PASSWORD } from '../support/quickstart-client.js';
import { type RawAnswer, type RawRequest, sendRaw } from '../support/raw-http.js';
import {
  credentials,
  login,
  now,
  OTHER_SECRET,
  REALM,
  refusal,
  refusedTokens,
  SECOND_SECRET,
  withToken,
  wrongLogins,
} from './quickstart-refusals.js';

let both: readonly [Quickstart, Quickstart];

beforeAll(async () => {
  both = await startBoth({ AUTH_SECRET: `${SHARED_SECRET},${SECOND_SECRET}` });
});

afterAll(async () => {
  await Promise.all(both?.map(({ close }) => close()) ?? []);
});

/** Sends the same bytes to both platforms; the answers must be the same, byte for byte. */
async function answerOfBoth(request: RawRequest): Promise<RawAnswer> {
  const [express, fastify] = await Promise.all(
    both.map(({ client }) => sendRaw(client.url, request)),
  );
  expect(fastify).toEqual(express);
  return express as RawAnswer;
}

describe('POST /auth/login', () => {
  it('a login returns a token that names its session', async () => {
    for (const { client } of both) {
      const answer = await client.post('/auth/login', {
        body: { username: 'alice', password: DEMO_PASSWORD },
      });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      const body = answer.body as Record<string, unknown>;
      expect(Object.keys(body).toSorted()).toEqual([
        'access_token',
        'expires_in',
        'idle_expires_in',
        'refresh_at',
        'refresh_expires_in',
        'refresh_token',
        'session_expires_in',
        'session_id',
        'token_type',
      ]);
      expect(body['token_type']).toBe('Bearer');
      // Lifetimes are shortened a little, so that clients that logged in together refresh at
      // different times.
      expect(body['expires_in']).toBeGreaterThanOrEqual(290);
      expect(body['expires_in']).toBeLessThanOrEqual(300);
      const me = await client.get('/me', body['access_token'] as string);
      expect(me.status).toBe(200);
      expect(me.body).toMatchObject({
        iss: 'nestjs-logout-quickstart',
        aud: 'nestjs-logout-quickstart',
        sub: 'alice',
        role: 'user',
        sid: body['session_id'],
      });
      expect(Object.keys(me.body as object).toSorted()).toEqual(
        ['aud', 'auth_time', 'exp', 'gen', 'iat', 'iss', 'jti', 'role', 'sid', 'sub'].toSorted(),
      );
    }
  });

  it.each(wrongLogins)('POST /auth/login refuses %s', async (_, request, status, code, message) => {
    const answer = await answerOfBoth(request);
    const error = status === 400 ? 'Bad Request' : 'Unauthorized';
    expect(answer.status).toBe(status);
    expect(answer.body).toBe(JSON.stringify({ statusCode: status, error, message, code }));
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['www-authenticate']).toBe(status === 401 ? refusal(message) : undefined);
  });
});

describe('GET /me', () => {
  it.each(refusedTokens)('GET /me refuses %s', async (_, request, code, message) => {
    const answer = await answerOfBoth(request);
    expect(answer.status).toBe(401);
    expect(answer.body).toBe(
      JSON.stringify({ statusCode: 401, error: 'Unauthorized', message, code }),
    );
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['www-authenticate']).toBe(
      code === 'token_missing' ? REALM : refusal(message),
    );
  });

  it('GET /me refuses a token that was logged out, and says why to its owner', async () => {
    const token = mintToken();
    for (const { client } of both) expect(await client.logout(token)).toBe(204);
    const answer = await answerOfBoth(withToken(token));
    expect(answer.status).toBe(401);
    expect(answer.body).toBe(
      '{"statusCode":401,"error":"Unauthorized","message":"The session has ended.","code":"session_ended","reason":"logout"}',
    );
    expect(answer.headers['www-authenticate']).toBe(refusal('The session has ended.'));
  });

  it.each([
    [
      'two Authorization headers',
      {
        headers: [
          ['Authorization', `Bearer ${mintToken()}`],
          ['Authorization', `Bearer ${mintToken()}`],
        ],
      } satisfies RawRequest,
      'The request has more than one Authorization header.',
    ],
    [
      'a token in the address',
      { path: `/me?access_token=${mintToken()}` } satisfies RawRequest,
      'Do not send an access token in the URL.',
    ],
    [
      'a token in header and address',
      { ...withToken(mintToken()), path: '/me?access_token=x' } satisfies RawRequest,
      'Do not send an access token in the URL.',
    ],
  ])('GET /me answers 400 to %s', async (_, request: RawRequest, message) => {
    const answer = await answerOfBoth(request);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toEqual({
      statusCode: 400,
      error: 'Bad Request',
      message,
      code: 'invalid_request',
    });
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['www-authenticate']).toBe(
      `${REALM}, error="invalid_request", error_description="${message}"`,
    );
  });
});

describe('POST /auth/logout', () => {
  it('POST /auth/logout answers 204 as often as it is sent', async () => {
    const request = withToken(mintToken(), '/auth/logout', 'POST');
    for (let round = 0; round < 3; round++) {
      const answer = await answerOfBoth(request);
      expect(answer).toMatchObject({ status: 204, body: '' });
      expect(answer.headers['cache-control']).toBe('no-store');
    }
  });

  it('POST /auth/logout accepts a token that has expired', async () => {
    const expired = mintToken({ iat: now() - 400, exp: now() - 100 });
    const answer = await answerOfBoth(withToken(expired, '/auth/logout', 'POST'));
    expect(answer.status).toBe(204);
  });

  it.each([
    ['nothing', { method: 'POST', path: '/auth/logout' }, 'token_missing'],
    ['garbage', withToken('garbage', '/auth/logout', 'POST'), 'token_malformed'],
    [
      'a token of another secret',
      withToken(mintToken({}, OTHER_SECRET), '/auth/logout', 'POST'),
      'token_invalid',
    ],
  ])('POST /auth/logout refuses %s', async (_, request: RawRequest, code) => {
    const answer = await answerOfBoth(request);
    expect(answer.status).toBe(401);
    expect(JSON.parse(answer.body)).toMatchObject({ code });
  });
});

describe.each(['/auth/logout-all', '/auth/logout-others'])('POST %s', (path) => {
  it('the route refuses a token that was logged out', async () => {
    const token = mintToken({ sub: `nobody of ${path}` });
    for (const { client } of both) expect(await client.logout(token)).toBe(204);
    const answer = await answerOfBoth(withToken(token, path, 'POST'));
    expect(answer.status).toBe(401);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'session_ended', reason: 'logout' });
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('the route ends what its name says, and nothing else', async () => {
    const [mine, other, stranger] = [
      mintToken({ sub: `owner of ${path}` }),
      mintToken({ sub: `owner of ${path}` }),
      mintToken({ sub: `stranger of ${path}` }),
    ];
    const answer = await answerOfBoth(withToken(mine, path, 'POST'));
    expect(answer).toMatchObject({ status: 204, body: '' });
    for (const { client } of both) {
      expect(await client.me(other)).toBe(401);
      expect(await client.me(mine)).toBe(path.endsWith('others') ? 200 : 401);
      expect(await client.me(stranger)).toBe(200);
    }
  });
});

describe('GET /health', () => {
  it('GET /health is open to all', async () => {
    for (const { client } of both) {
      const { status, body, headers } = await client.get('/health');
      expect(status).toBe(200);
      expect(body).toMatchObject({ status: 'ok', position: expect.any(Number) });
      expect(headers.get('cache-control')).toBe('no-store');
    }
  });
});

// The last of this file: afterwards no key is left.
describe('POST /admin/keys/:kid/revoke', () => {
  const revoke = (kid: string, token: string): Promise<RawAnswer> =>
    answerOfBoth(withToken(token, `/admin/keys/${kid}/revoke`, 'POST'));
  const admin = (secret: string): string => mintToken({ sub: 'admin', role: 'admin' }, secret);

  it('revoking a key is for the admin', async () => {
    const answer = await revoke(secretKid(SHARED_SECRET), mintToken());
    expect(answer.status).toBe(403);
    expect(JSON.parse(answer.body)).toMatchObject({ statusCode: 403, code: 'forbidden' });
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('revoking an unknown kid answers 404', async () => {
    const answer = await revoke('0000000000000000', admin(SHARED_SECRET));
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.body)).toMatchObject({ statusCode: 404, code: 'not_found' });
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('revoking a key ends all its tokens, and the next secret signs until none is left', async () => {
    const old = await Promise.all(both.map(({ client }) => client.login()));
    expect(old.map(kidOf)).toEqual([secretKid(SHARED_SECRET), secretKid(SHARED_SECRET)]);
    expect((await revoke(secretKid(SHARED_SECRET), admin(SHARED_SECRET))).status).toBe(204);
    for (const [index, { client }] of both.entries()) {
      const refused = await client.get('/me', old[index]);
      expect(refused.status).toBe(401);
      expect(refused.body).toMatchObject({ code: 'key_revoked', reason: 'key_compromised' });
      const renewed = await client.login();
      expect(kidOf(renewed)).toBe(secretKid(SECOND_SECRET));
      expect(await client.me(renewed)).toBe(200);
    }
    expect((await revoke(secretKid(SECOND_SECRET), admin(SECOND_SECRET))).status).toBe(204);
    const answer = await answerOfBoth(login(credentials('alice')));
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body)).toMatchObject({ statusCode: 503, code: 'no_signing_key' });
    expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('a token of a revoked key cannot log out any session', async () => {
    const answer = await answerOfBoth(withToken(mintToken(), '/auth/logout', 'POST'));
    expect(answer.status).toBe(401);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'key_revoked' });
  });
});

function kidOf(token: string): unknown {
  const header = Buffer.from(token.split('.')[0] ?? '', 'base64url').toString();
  return (JSON.parse(header) as { kid?: unknown }).kid;
}
