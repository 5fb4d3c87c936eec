import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Quickstart, startBoth } from '../support/both-platforms.js';
import { describeOn, serverKinds } from '../support/databases.js';
import { mintToken, SHARED_SECRET } from '../support/mint-token.js';
import { type Answer, DEMO_PASSWORD, type QuickstartClient } from '../support/quickstart-client.js';
import { QuickstartProcess } from '../support/quickstart-process.js';
import { type RawAnswer, type RawRequest, sendRaw } from '../support/raw-http.js';
import { withToken } from './quickstart-refusals.js';

type Both = Awaited<ReturnType<typeof startBoth>>;

let shared: Both;
let apart: Both | undefined;
let both: Both;

const start = (): Promise<Both> => startBoth({ AUTH_SECRET: SHARED_SECRET });
const close = (these: readonly Quickstart[] = []): Promise<unknown> =>
  Promise.all(these.map((each) => each.close()));

beforeAll(async () => {
  shared = await start();
});

beforeEach(() => {
  both = shared;
});

/** For a test that revokes what an account was issued before, or changes the account. */
const startApart = async (): Promise<void> => {
  apart = await start();
  both = apart;
};

afterEach(async () => {
  await close(apart);
  apart = undefined;
});

afterAll(() => close(shared));

interface Login {
  readonly access_token: string;
  readonly refresh_token: string;
}

const admin = mintToken({ sub: 'admin', role: 'admin' });

const tryLogin = (client: QuickstartClient, password = DEMO_PASSWORD): Promise<Answer> =>
  client.post('/auth/login', { body: { username: 'alice', password } });
const logIn = async (client: QuickstartClient): Promise<Login> =>
  (await tryLogin(client)).body as Login;
const refresh = (client: QuickstartClient, { refresh_token }: Login): Promise<Answer> =>
  client.post('/auth/refresh', { body: { refresh_token } });
const act = async (client: QuickstartClient, path: string, body?: object): Promise<number> =>
  (await client.post(`/admin/users/${path}`, { token: admin, body })).status;
const remove = (client: QuickstartClient, name: string): Promise<Answer> =>
  client.send(`/admin/users/${name}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${admin}` },
  });

/** Both platforms in turn, each with its own database. */
async function onEach(check: (client: QuickstartClient) => Promise<void>): Promise<void> {
  for (const { client } of both) await check(client);
}

async function answerOfBoth(request: RawRequest): Promise<RawAnswer> {
  const [express, fastify] = await Promise.all(
    both.map(({ client }) => sendRaw(client.url, request)),
  );
  expect(fastify).toEqual(express);
  return express as RawAnswer;
}

const withJson = (token: string, path: string, body: string): RawRequest => {
  const { headers } = withToken(token);
  return {
    method: 'POST',
    path,
    headers: [...(headers ?? []), ['Content-Type', 'application/json']],
    body,
  };
};

describe('POST /me/password', () => {
  it('a changed password ends the other sessions and keeps its own', async () => {
    await startApart();
    await onEach(async (client) => {
      const [here, there] = [await logIn(client), await logIn(client)];
      const answer = await client.post('/me/password', {
        token: here.access_token,
        body: { old: DEMO_PASSWORD, new: 'another one' },
      });
      expect(answer.status).toBe(204);
      expect(await client.me(here.access_token)).toBe(200);
      expect((await refresh(client, here)).status).toBe(200);
      const me = await client.get('/me', there.access_token);
      expect(me.body).toMatchObject({ statusCode: 401, reason: 'password_changed' });
      expect((await refresh(client, there)).status).toBe(401);
      expect((await tryLogin(client)).status).toBe(401);
      expect((await tryLogin(client, 'another one')).status).toBe(200);
    });
  });

  it('a wrong old password is refused, and changes nothing', async () => {
    const body = JSON.stringify({ old: 'wrong', new: 'another one' });
    const answer = await answerOfBoth(withJson(mintToken(), '/me/password', body));
    expect(answer.status).toBe(401);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'credentials_invalid' });
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer /);
    await onEach(async (client) => expect((await tryLogin(client)).status).toBe(200));
  });

  it.each(['', '{}', '[]', 'null', '{"old":"a"}', '{"new":"a"}', '{"old":1,"new":[]}'])(
    'a bad request is refused with 400: %j',
    async (body) => {
      const answer = await answerOfBoth(withJson(mintToken(), '/me/password', body));
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.body)).toMatchObject({ code: 'credentials_missing' });
    },
  );

  it('the route needs a token', async () => {
    const answer = await answerOfBoth({ method: 'POST', path: '/me/password' });
    expect(answer.status).toBe(401);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'token_missing' });
  });
});

describe('what the admin does', () => {
  it('lock: the account is logged out, and cannot log in until it is unlocked', async () => {
    await startApart();
    await onEach(async (client) => {
      const before = await logIn(client);
      expect(await act(client, 'alice/lock', { seconds: 600 })).toBe(204);
      expect(await client.me(before.access_token)).toBe(401);
      expect((await refresh(client, before)).status).toBe(401);
      const refused = await tryLogin(client);
      expect(refused.status).toBe(401);
      expect(refused.body).toMatchObject({ code: 'account_locked' });
      expect(await act(client, 'alice/unlock')).toBe(204);
      expect(await client.me(before.access_token)).toBe(401);
      expect(await client.me((await logIn(client)).access_token)).toBe(200);
    });
  });

  it('disable: the account is logged out, and cannot log in until it is enabled', async () => {
    await startApart();
    await onEach(async (client) => {
      const before = await logIn(client);
      expect(await act(client, 'alice/disable')).toBe(204);
      expect(await client.me(before.access_token)).toBe(401);
      expect((await tryLogin(client)).body).toMatchObject({ code: 'account_disabled' });
      expect(await act(client, 'alice/enable')).toBe(204);
      expect(await client.me(before.access_token)).toBe(401);
      expect(await client.me((await logIn(client)).access_token)).toBe(200);
    });
  });

  it('delete: the account is logged out, and the name no longer exists', async () => {
    await startApart();
    await onEach(async (client) => {
      const before = await logIn(client);
      expect((await remove(client, 'alice')).status).toBe(204);
      expect(await client.me(before.access_token)).toBe(401);
      expect((await refresh(client, before)).status).toBe(401);
      expect((await tryLogin(client)).body).toMatchObject({ code: 'credentials_invalid' });
      expect((await remove(client, 'alice')).status).toBe(404);
      expect(await act(client, 'alice/lock', { seconds: 1 })).toBe(404);
      expect(await client.me(await client.login('bob'))).toBe(200);
    });
  });

  it.each(['lock', 'unlock', 'disable', 'enable', ''])(
    'the route is for the admin, and for existing names: %s',
    async (verb) => {
      const method = verb === '' ? 'DELETE' : 'POST';
      const pathOf = (name: string): string => `/admin/users/${name}${verb && `/${verb}`}`;
      const refused = await answerOfBoth(withToken(mintToken(), pathOf('bob'), method));
      expect(refused.status).toBe(403);
      expect(JSON.parse(refused.body)).toMatchObject({ code: 'forbidden' });
      for (const name of ['mallory', '__proto__', 'ALICE', '%00', 'a'.repeat(300)]) {
        const unknown = await answerOfBoth(withToken(admin, pathOf(name), method));
        expect([name, unknown.status]).toEqual([name, 404]);
        expect(JSON.parse(unknown.body)).toMatchObject({ code: 'not_found' });
      }
    },
  );

  it.each(['', '{}', '[]', '{"seconds":0}', '{"seconds":-1}', '{"seconds":"60"}'])(
    'lock refuses with 400: %j',
    async (body) => {
      const answer = await answerOfBoth(withJson(admin, '/admin/users/bob/lock', body));
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.body)).toMatchObject({ code: 'invalid_request' });
    },
  );

  it.each(['1.5', '1e999', 'null', 'true', '99999999999', '[60]'])(
    'lock refuses with 400: seconds %s',
    async (seconds) => {
      const body = `{"seconds":${seconds}}`;
      const answer = await answerOfBoth(withJson(admin, '/admin/users/bob/lock', body));
      expect(answer.status).toBe(400);
    },
  );
});

describeOn(serverKinds, 'two instances', (kind) => {
  it('two instances know the same accounts', async () => {
    const database = await kind.migrated();
    try {
      const env = { DATABASE_URL: database.url, AUTH_SECRET: SHARED_SECRET };
      const [one, two] = await Promise.all([
        QuickstartProcess.start(env),
        QuickstartProcess.start(env),
      ]);
      // Both create the table at this moment.
      const [here] = await Promise.all([logIn(one), logIn(two)]);
      const words = { old: DEMO_PASSWORD, new: 'another one' };
      const changed = await one.post('/me/password', { token: here.access_token, body: words });
      expect(changed.status).toBe(204);
      expect((await tryLogin(two)).status).toBe(401);
      expect((await tryLogin(two, 'another one')).status).toBe(200);
      expect((await remove(one, 'alice')).status).toBe(204);
      expect((await tryLogin(two, 'another one')).status).toBe(401);
      expect((await remove(two, 'alice')).status).toBe(404);
    } finally {
      await QuickstartProcess.stopAll();
      await database.drop();
    }
  });
});

describe('a refreshed token', () => {
  it('a refreshed token carries the new role', () =>
    onEach(async (client) => {
      const renewed = (await refresh(client, await logIn(client))).body as Login;
      expect((await client.get('/me', renewed.access_token)).body).toMatchObject({
        sub: 'alice',
        role: 'user',
      });
    }));
});

describe('the RFCs’ forms', () => {
  const form = (path: string, body: string, token?: string): RawRequest => ({
    method: 'POST',
    path,
    headers: [
      ['Content-Type', 'application/x-www-form-urlencoded'],
      ...(token === undefined ? [] : [['Authorization', `Bearer ${token}`] as const]),
    ],
    body,
  });

  it('revoke and introspect accept forms', async () => {
    const token = mintToken();
    const asked = form('/auth/introspect', `token=${token}`, admin);
    expect(JSON.parse((await answerOfBoth(asked)).body)).toMatchObject({ active: true });
    expect((await answerOfBoth(form('/auth/revoke', `token=${token}`))).status).toBe(200);
    expect(JSON.parse((await answerOfBoth(asked)).body)).toEqual({ active: false });
    const stranger = form('/auth/introspect', `token=${token}`, mintToken());
    expect((await answerOfBoth(stranger)).status).toBe(403);
  });

  it('forms with a repeated parameter are refused, and so is a login by a form', async () => {
    const twice = await answerOfBoth(form('/auth/revoke', 'token=a&token=b'));
    expect(twice.status).toBe(400);
    const login = form('/auth/login', `username=alice&password=${DEMO_PASSWORD}`);
    expect((await answerOfBoth(login)).status).toBe(400);
  });
});
