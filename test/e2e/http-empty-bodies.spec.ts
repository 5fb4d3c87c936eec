import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { request } from 'node:http';
import { type HttpApp, startBothHttp } from '../support/http-app.js';

const KINDS = [
  'application/json',
  'application/json; charset=utf-8',
  'application/x-www-form-urlencoded',
  'text/plain;charset=UTF-8',
  'text/xml',
  'application/octet-stream',
  'multipart/form-data; boundary=x',
  'no type at all',
];

/** Every route that can be asked without a body, and what it answers then. */
const ROUTES: readonly (readonly [route: string, status: number])[] = [
  ['POST /auth/login', 400],
  ['POST /auth/refresh', 400],
  ['POST /auth/logout-others', 204],
  ['POST /auth/revoke', 400],
  ['POST /auth/introspect', 403],
  ['GET /auth/sessions', 200],
  ['DELETE /auth/sessions/nobody', 404],
  ['GET /.well-known/jwks.json', 200],
  ['POST /auth/logout', 204],
  ['POST /auth/logout-all', 204],
];

let apps: readonly HttpApp[];

beforeAll(async () => {
  apps = await startBothHttp({ options: { maxSessions: false } });
});

afterAll(() => Promise.all(apps.map(({ close }) => close())));

/** Not by fetch, which leaves content-length out where there is no body. */
function send(
  { client }: HttpApp,
  route: string,
  headers: Readonly<Record<string, string>>,
): Promise<number> {
  const [method = '', path = ''] = route.split(' ');
  return new Promise((resolve, reject) => {
    const sent = request(client.url + path, { method, headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe.each([
  ['bare Express', 0],
  ['bare Fastify', 1],
])('on %s, an empty body', (_, index) => {
  it.each(ROUTES)('of any content type is none: %s answers %i', async (route, status) => {
    const app = apps[index];
    if (app === undefined) throw new Error('It was not started.');
    const answers: Record<string, number> = {};
    for (const kind of KINDS) {
      for (const length of [undefined, '0']) {
        const { access_token: token } = await app.client.login('alice');
        answers[`${kind}, ${length}`] = await send(app, route, {
          authorization: `Bearer ${token}`,
          'content-type': kind,
          ...(length === undefined ? {} : { 'content-length': length }),
        });
      }
    }
    const expected = Object.fromEntries(Object.keys(answers).map((name) => [name, status]));
    expect(answers).toEqual(expected);
  });
});
