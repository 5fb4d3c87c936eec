import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect } from 'node:net';
import { type Quickstart, startBoth } from '../support/both-platforms.js';
import { mintToken, SHARED_SECRET } from '../support/mint-token.js';
import { DEMO_PASSWORD } from '../support/quickstart-client.js';
import { type RawAnswer, type RawRequest, sendRaw } from '../support/raw-http.js';
import { BROKEN_HTTP, HOSTILE_REQUESTS, NAUGHTY_NAMES } from './hostile-requests.js';

let both: readonly [Quickstart, Quickstart];

beforeAll(async () => {
  both = await startBoth({ AUTH_SECRET: SHARED_SECRET });
});

afterAll(async () => {
  await Promise.all(both?.map(({ close }) => close()) ?? []);
});

const toBoth = (request: RawRequest): Promise<RawAnswer[]> =>
  Promise.all(both.map(({ client }) => sendRaw(client.url, request)));

const login = (body: string | Buffer): RawRequest => ({
  method: 'POST',
  path: '/auth/login',
  headers: [['Content-Type', 'application/json']],
  body,
});

describe('hostile requests', () => {
  it('there are more than a hundred hostile requests', () => {
    expect(HOSTILE_REQUESTS.length + BROKEN_HTTP.length).toBeGreaterThan(100);
  });

  it.each(HOSTILE_REQUESTS)(
    'hostile requests are refused in the same way on both platforms: %s',
    async (_, request) => {
      const [express, fastify] = await toBoth(request);
      expect(fastify?.status).toBe(express?.status);
      expect(express?.status).toBeGreaterThanOrEqual(400);
      expect(express?.status).toBeLessThan(500);
      expect(fastify?.body).toBe(express?.body);
    },
  );

  it.each(BROKEN_HTTP)('hostile requests break nothing: %s', async (_, request) => {
    for (const { status } of await toBoth(request)) {
      // Node closes a tunnel without an answer; everything else gets an error.
      expect(status === 0 || (status >= 400 && status < 500)).toBe(true);
    }
    for (const { client } of both) expect(await client.me(mintToken())).toBe(200);
  });
});

describe('a name that breaks databases', () => {
  it.each(NAUGHTY_NAMES)('a name that breaks databases is no account: %s', async (_, username) => {
    const [express, fastify] = await toBoth(
      login(JSON.stringify({ username, password: DEMO_PASSWORD })),
    );
    expect(fastify).toEqual(express);
    expect(express?.status).toBe(401);
    expect(JSON.parse(express?.body ?? '')).toMatchObject({ code: 'credentials_invalid' });
  });

  it('a name that breaks databases ends only its own tokens when it is an account', async () => {
    const pairs: readonly (readonly [string, string])[] = [
      ['caf\u00e9', 'cafe\u0301'],
      ['dora', 'dora '],
      ['erin', 'ERIN'],
      ['__proto__', '__PROTO__'],
      ['constructor', 'prototype'],
      ['\ufefffrank', 'frank'],
      ['a:b', 'a\u0001b'],
    ];
    for (const { client } of both) {
      for (const [one, other] of pairs) {
        const [ended, spared] = [mintToken({ sub: one }), mintToken({ sub: other })];
        const { status } = await client.post('/auth/logout-all', { token: ended });
        expect(status).toBe(204);
        expect([one, await client.me(ended), await client.me(spared)]).toEqual([one, 401, 200]);
      }
    }
  });
});

describe('a body that is too large', () => {
  const KB = 1024;

  it.each([
    ['9 KB', 9 * KB],
    ['16 KB', 16 * KB],
    ['1 MB', KB * KB],
    ['10 MB', 10 * KB * KB],
  ])('a body that is too large is answered with 413: %s', async (_, size) => {
    const [express, fastify] = await toBoth(
      login(JSON.stringify({ username: 'a'.repeat(size), password: 'x' })),
    );
    expect(fastify).toEqual(express);
    expect(express?.status).toBe(413);
    expect(JSON.parse(express?.body ?? '')).toEqual({
      statusCode: 413,
      error: 'Payload Too Large',
      message: 'The body is larger than 8192 bytes.',
      code: 'invalid_request',
    });
    expect(express?.headers['cache-control']).toBe('no-store');
  });

  it('a body is counted, not believed: in chunks, to any address', async () => {
    const chunk = `1000\r\n${'a'.repeat(4096)}\r\n`;
    for (const path of ['/auth/login', '/auth/logout', '/me']) {
      const [express, fastify] = await toBoth({
        raw:
          `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n` +
          `Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(3)}0\r\n\r\n`,
      });
      expect(fastify).toEqual(express);
      expect(express?.status).toBe(413);
    }
  });
});

describe('a header that is too large', () => {
  it('a header of 9 KB is refused by its length', async () => {
    const request = { headers: [['Authorization', `Bearer ${'a'.repeat(9 * 1024)}`]] } as const;
    const [express, fastify] = await toBoth(request);
    expect(fastify).toEqual(express);
    expect(express?.status).toBe(401);
  });

  it('a header of more than 16 KB is refused by Node', async () => {
    const request = { headers: [['Authorization', `Bearer ${'a'.repeat(17 * 1024)}`]] } as const;
    expect((await toBoth(request)).map(({ status }) => status)).toEqual([431, 431]);
  });
});

describe('a client that hangs up', () => {
  it('a client that hangs up in the middle of a body affects no other request', async () => {
    for (const { client } of both) {
      const { hostname, port } = new URL(client.url);
      for (let round = 0; round < 20; round++) {
        await new Promise<void>((resolve, reject) => {
          const socket = connect(Number(port), hostname, () => {
            const head =
              'POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
            socket.write(`${head}Content-Length: 100\r\n\r\n{"username":`, () => {
              socket.resetAndDestroy();
              resolve();
            });
          });
          socket.once('error', reject);
        });
      }
      expect(await client.me(mintToken())).toBe(200);
    }
  });
});
