import { describe, expect, it } from '@jest/globals';
import { useBothPlatforms } from '../support/http-both.js';
import { PASSWORD } from '../support/http-client.js';

const ACCESS = '__Host-access';
const CREDENTIALS = { username: 'alice', password: PASSWORD };

const both = useBothPlatforms({ http: { cookies: { origins: ['https://app.example.com'] } } });

describe('acts that another site’s page asks for', () => {
  const OWN = '<own>';
  const MATRIX: readonly (readonly [Record<string, string>, boolean])[] = [
    [{}, true],
    [{ 'sec-fetch-site': 'same-origin' }, true],
    [{ 'sec-fetch-site': 'none' }, true],
    [{ 'sec-fetch-site': 'same-site' }, false],
    [{ 'sec-fetch-site': 'cross-site' }, false],
    [{ 'sec-fetch-site': 'anything' }, false],
    [{ origin: OWN }, true],
    [{ origin: OWN, 'sec-fetch-site': 'cross-site' }, false],
    [{ origin: 'https://evil.example' }, false],
    [{ origin: 'null' }, false],
    [{ origin: 'not an origin' }, false],
    [{ origin: 'http://127.0.0.1:1' }, false],
    [{ origin: 'https://app.example.com' }, true],
    [{ origin: 'https://app.example.com', 'sec-fetch-site': 'same-site' }, true],
    [{ origin: 'http://app.example.com', 'sec-fetch-site': 'same-site' }, false],
    [{ origin: 'https://app.example.com.evil.example', 'sec-fetch-site': 'cross-site' }, false],
  ];
  const CALLS: readonly (readonly [string, number])[] = [
    ['POST /auth/login', 200],
    ['POST /auth/refresh', 200],
    ['POST /auth/logout', 204],
    ['POST /auth/logout-others', 204],
    ['POST /auth/logout-all', 204],
    ['DELETE /auth/sessions/unknown', 404],
    ['POST /orders', 201],
    ['GET /me', 200],
  ];

  it.each(CALLS)('%s', async (call, good) => {
    for (const { client: to } of both.apps) {
      let cookies = await to.loginWithCookies();
      for (const [given, allowed] of MATRIX) {
        const headers = Object.fromEntries(
          Object.entries(given).map(([name, value]) => [name, value === OWN ? to.url : value]),
        );
        const json = call.endsWith('login') ? CREDENTIALS : undefined;
        const answer = await to.send(call, { cookies, headers, json });
        const isGood = allowed || call.startsWith('GET');
        expect([given, answer.status]).toEqual([given, isGood ? good : 403]);
        if (isGood) {
          // It may have ended or replaced the tokens.
          cookies = await to.loginWithCookies();
          continue;
        }
        expect(answer.body).toMatchObject({ code: 'csrf_refused' });
        expect([answer.cookies, answer.headers['cache-control']]).toEqual([[], 'no-store']);
        expect((await to.send('GET /me', { cookies })).status).toBe(200);
      }
    }
  });

  it('a token in the header needs no check: no browser adds it by itself', async () => {
    for (const { client: to } of both.apps) {
      const { [ACCESS]: token } = await to.loginWithCookies();
      const headers = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
      expect((await to.send('POST /orders', { token, headers })).status).toBe(201);
    }
  });
});
