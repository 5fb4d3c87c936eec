import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SessionService } from 'nestjs-logout';
import { type HttpApp, startBothHttp } from '../support/http-app.js';
import type { HttpAnswer } from '../support/http-client.js';

interface Listed {
  readonly id: string;
  readonly current: boolean;
  readonly created_at: string;
}

const COPIED = ['sid', 'session_key', 'created_at'];
const SAME =
  'subject_key, subject, gen, kid, delivery, last_seen_at, idle_until, expires_at, persistent';

/** 53 more sessions like the one that is there, a second after each other. */
const COPIES = `
  WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 53)
  INSERT INTO auth_session (${COPIED.join(', ')}, ${SAME})
  SELECT 'copy' || n, CAST(substr('copy' || n || '________________', 1, 16) AS BLOB),
    created_at + n * 1000, ${SAME} FROM auth_session, numbers`;

let apps: readonly HttpApp[];
let token: string;

beforeAll(async () => {
  apps = await startBothHttp({ options: { maxSessions: false } });
  for (const { client, clock, sql } of apps) {
    await client.login('alice');
    await sql(COPIES);
    clock.advance(54_000);
  }
});

afterAll(() => Promise.all(apps.map(({ close }) => close())));

/** Follows `Link` from this address to the end. */
async function pages({ client }: HttpApp, from: string): Promise<Listed[][]> {
  const found: Listed[][] = [];
  for (let address: URL | undefined = new URL(from, client.url); address !== undefined;) {
    const answer: HttpAnswer = await client.send(`GET ${address.pathname}${address.search}`, {
      token,
    });
    expect(answer.status).toBe(200);
    found.push(answer.body as Listed[]);
    const target = /^<([^>]*)>; rel="next"$/.exec(answer.headers['link'] ?? '')?.[1];
    address = target === undefined ? undefined : new URL(target, address);
    if (found.length > 60) throw new Error(`The pages from ${from} on have no end.`);
  }
  return found;
}

describe.each([
  ['Express', 0],
  ['Fastify', 1],
])('the list of sessions on %s', (_, index) => {
  let app: HttpApp;

  beforeAll(async () => {
    const given = apps[index];
    if (given === undefined) throw new Error('It was not started.');
    app = given;
    app.clock.advance(1_000);
    ({ access_token: token } = await app.client.login('alice'));
  });

  it('the list has pages of 50, linked to each other, the newest session first', async () => {
    const [first, second, ...others] = await pages(app, '/auth/sessions');
    expect([first?.length, second?.length, others]).toEqual([50, 5, []]);
    const all = [...(first ?? []), ...(second ?? [])];
    expect(new Set(all.map(({ id }) => id)).size).toBe(55);
    expect(all[0]?.current).toBe(true);
    const times = all.map(({ created_at }) => created_at);
    expect(times).toEqual(times.toSorted().toReversed());
  });

  it('the list has pages as small and as large as the client asks for', async () => {
    expect((await pages(app, '/auth/sessions?limit=20')).map(({ length }) => length)).toEqual([
      20, 20, 15,
    ]);
    expect((await pages(app, '/auth/sessions?limit=100')).map(({ length }) => length)).toEqual([
      55,
    ]);
  });

  it.each([
    'limit=0',
    'limit=-1',
    'limit=101',
    'limit=1e1',
    'limit=',
    'limit=ten',
    'limit=5&limit=6',
    'after=',
    'after=somewhere',
    'after=%00',
    `after=${'_'.repeat(32)}`,
    'after=a&after=b',
  ])('?%s is 400 invalid_request', async (query) => {
    const answer = await app.client.send(`GET /auth/sessions?${query}`, { token });
    expect(answer).toMatchObject({
      status: 400,
      headers: { 'cache-control': 'no-store' },
      body: { statusCode: 400, code: 'invalid_request' },
    });
  });

  it('the list shows client and grant of a session if its login named them', async () => {
    const context = { client: 'assistant', grant: 'mcp-approval-1' };
    const login = await app.app
      .get(SessionService)
      .login(() => Promise.resolve({ subject: 'bob' }), context);
    const plain = await app.client.login('bob');
    const { body } = await app.client.send('GET /auth/sessions', { token: plain.access_token });
    const sessions = body as { id: string; client: string | null; grant?: string }[];
    const of = (id: string | undefined): unknown => sessions.find((each) => each.id === id);
    expect(of(login?.sessionId)).toMatchObject(context);
    expect(of(plain.session_id)).toMatchObject({ client: null });
    expect(of(plain.session_id)).not.toHaveProperty('grant');
  });

  it('one account cannot end the session of another, nor one that has ended', async () => {
    const { client } = app;
    const [bob, gone] = [await client.login('bob'), await client.login('alice')];
    await client.send('POST /auth/logout', { token: gone.access_token });
    const unknown = ['nobody', 'x'.repeat(100), '%00', bob.session_id, gone.session_id];
    for (const id of unknown) {
      const answer = await client.send(`DELETE /auth/sessions/${id}`, { token });
      expect(answer).toMatchObject({ status: 404 });
    }
    expect((await client.send('GET /me', { token: bob.access_token })).status).toBe(200);
    expect((await client.send('GET /me', { token })).status).toBe(200);
  });
});
