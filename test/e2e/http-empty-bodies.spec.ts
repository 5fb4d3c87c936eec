import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { request } from 'node:http';
import { type HttpApp, startBothHttp } from '../support/http-app.js';
import { PASSWORD } from '../support/http-client.js';

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

/** Every route that can be called without a body, and its answer. */
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

/** Not by fetch, which sends neither an empty body in chunks nor a length of 0. */
function send(
  { client }: HttpApp,
  route: string,
  headers: Readonly<Record<string, string>>,
  body?: string,
): Promise<number> {
  const [method = '', path = ''] = route.split(' ');
  return new Promise((resolve, reject) => {
    const sent = request(client.url + path, { method, headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const LENGTHS: readonly Readonly<Record<string, string>>[] = [
  {},
  { 'content-length': '0' },
  { 'transfer-encoding': 'chunked' },
];

/** Types of which neither platform has a parser, as a beacon sends them. */
const UNREAD = [
  'text/xml',
  'application/octet-stream',
  'multipart/form-data; boundary=x',
  'no type at all',
  undefined,
];

describe.each([
  ['bare Express', 0],
  ['bare Fastify', 1],
])('on %s', (_, index) => {
  /** Asks once with each set of headers, each time as a user who has just logged in. */
  const ask = async (
    route: string,
    headers: readonly Readonly<Record<string, string>>[],
    body?: string,
  ): Promise<Record<string, number>> => {
    const app = apps[index];
    if (app === undefined) throw new Error('It was not started.');
    const answers: Record<string, number> = {};
    for (const [at, each] of headers.entries()) {
      // By turns, since an account may ask for logout-others only 30 times a minute.
      const { access_token: token } = await app.client.login(at % 2 === 0 ? 'alice' : 'bob');
      const authorization = `Bearer ${token}`;
      answers[JSON.stringify(each)] = await send(app, route, { authorization, ...each }, body);
    }
    return answers;
  };
  const ofType = (type: string | undefined): Readonly<Record<string, string>> =>
    type === undefined ? {} : { 'content-type': type };
  const all = (answers: Readonly<Record<string, number>>, status: number): object =>
    Object.fromEntries(Object.keys(answers).map((name) => [name, status]));

  it.each(ROUTES)(
    'an empty body of any type is treated as no body: %s answers %i',
    async (route, status) => {
      const headers = [...KINDS, undefined].flatMap((type) =>
        LENGTHS.map((length) => ({ ...ofType(type), ...length })),
      );
      const answers = await ask(route, headers);
      expect(answers).toEqual(all(answers, status));
    },
  );

  it.each(ROUTES)(
    'a body that no route reads is treated as no body: %s answers %i',
    async (route, status) => {
      const headers = UNREAD.flatMap((type) => [
        { ...ofType(type), 'content-length': '1' },
        { ...ofType(type), 'transfer-encoding': 'chunked' },
      ]);
      const answers = await ask(route, headers, 'x');
      expect(answers).toEqual(all(answers, status));
    },
  );

  it('a body in chunks is read where a body is expected', async () => {
    const headers = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' };
    const app = apps[index];
    if (app === undefined) throw new Error('It was not started.');
    const body = JSON.stringify({ username: 'alice', password: PASSWORD });
    expect(await send(app, 'POST /auth/login', headers, body)).toBe(200);
  });
});
