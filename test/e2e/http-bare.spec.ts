import { describe, expect, it } from '@jest/globals';
import { useBothPlatforms } from '../support/http-both.js';
import { mintToken } from '../support/mint-token.js';
import { type RawAnswer, type RawRequest, sendRaw } from '../support/raw-http.js';
import { BROKEN_HTTP, HOSTILE_REQUESTS, NAUGHTY_NAMES } from './hostile-requests.js';
import { login, REALM, refusal, refusedTokens, wrongLogins } from './quickstart-refusals.js';

// The adapters as they come: no parsers, no options. What the quick-start answers is tested elsewhere.
const both = useBothPlatforms();

/** Signed at once: the clock of the applications does not move. */
const TOKEN = mintToken();

/** Encodings, charsets and addresses: each adapter refuses them before any route, in its own way. */
const OF_THE_ADAPTER = new Set([
  'a body that is not gzip',
  'an unknown encoding',
  'an unknown charset',
  'a charset of two words',
  'a form of a thousand members',
  'a body with GET',
  ...['/%', '/%zz', '/%ff', '/%c0%af', '/auth/login/', '/AUTH/LOGIN'].map(
    (path) => `the address ${path}`,
  ),
]);

const toBoth = (request: RawRequest): Promise<RawAnswer[]> =>
  Promise.all(both.apps.map(({ client }) => sendRaw(client.url, request)));

describe('the HTTP contract on bare adapters', () => {
  it.each(refusedTokens)(
    'both platforms refuse %s in the same way',
    async (_, request, code, message) => {
      const answers = await toBoth(request);
      for (const { status, headers, body } of answers) {
        expect(status).toBe(401);
        expect(JSON.parse(body)).toEqual({ statusCode: 401, error: 'Unauthorized', message, code });
        expect(headers['cache-control']).toBe('no-store');
        expect(headers['www-authenticate']).toBe(
          code === 'token_missing' ? REALM : refusal(message),
        );
      }
    },
  );

  it.each(wrongLogins)(
    'both platforms refuse a login with %s in the same way',
    async (name, request, status) => {
      // Both adapters parse forms, so the words of this one are read, and wrong.
      const expected = name === 'a form' ? 401 : status;
      expect((await toBoth(request)).map((answer) => answer.status)).toEqual([expected, expected]);
    },
  );

  it.each(NAUGHTY_NAMES)('no account has the name: %s', async (_, username) => {
    for (const { status, body } of await toBoth(
      login(JSON.stringify({ username, password: 'x' })),
    )) {
      expect(status).toBe(401);
      expect(JSON.parse(body)).toMatchObject({ code: 'credentials_invalid' });
    }
  });

  it.each(HOSTILE_REQUESTS)(
    'requests that no client sends are refused: %s',
    async (name, request) => {
      const statuses = (await toBoth(request)).map(({ status }) => status);
      for (const status of statuses) {
        expect(status).toBeGreaterThanOrEqual(400);
        expect(status).toBeLessThan(500);
      }
      if (!OF_THE_ADAPTER.has(name)) expect(statuses[1]).toBe(statuses[0]);
    },
  );

  it.each(BROKEN_HTTP)('the server survives malformed HTTP: %s', async (_, request) => {
    for (const { status } of await toBoth(request)) {
      expect(status === 0 || (status >= 400 && status < 500)).toBe(true);
    }
    for (const { client } of both.apps) {
      const { body, status } = await client.send('GET /me', { token: TOKEN });
      expect([status, body]).toEqual([200, { sub: 'alice' }]);
    }
  });
});
