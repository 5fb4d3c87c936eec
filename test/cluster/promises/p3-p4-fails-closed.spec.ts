import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { setTimeout } from 'node:timers/promises';
import {
  type DatabaseKind,
  describeOn,
  serverKinds,
  type TestDatabase,
} from '../../support/databases.js';
import { mintToken, SHARED_SECRET } from '../../support/mint-token.js';
import type { Answer } from '../../support/quickstart-client.js';
import { QuickstartProcess } from '../../support/quickstart-process.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

interface World {
  readonly database: TestDatabase;
  readonly proxy: TcpProxy;
  readonly instance: QuickstartProcess;
}

/** A process whose database has the tables and cannot be reached. */
async function startAlone(kind: DatabaseKind): Promise<World> {
  const database = await kind.migrated();
  const { proxy, through } = await TcpProxy.before(database);
  proxy.refuse();
  const instance = await QuickstartProcess.start({
    DATABASE_URL: through.url,
    AUTH_SECRET: SHARED_SECRET,
    MAX_STALENESS: '1',
  });
  return { database, proxy, instance };
}

/** Both at once: each waits out `bootTimeout`. */
const worlds = new Map<DatabaseKind, Promise<World>>();

beforeAll(async () => {
  for (const kind of serverKinds) if (kind.available) worlds.set(kind, startAlone(kind));
  await Promise.all(worlds.values());
});

afterAll(async () => {
  await QuickstartProcess.stopAll();
  for (const world of worlds.values()) {
    const { proxy, database } = await world;
    await proxy.close();
    await database.drop();
  }
});

describeOn(serverKinds, 'a process that loses its database', (kind) => {
  let proxy: TcpProxy;
  let instance: QuickstartProcess;

  beforeAll(async () => {
    ({ proxy, instance } = (await worlds.get(kind)) as World);
  });

  const ended = mintToken();
  const spared = mintToken();

  it('P4 cold start: 503 until the first load, then 200', async () => {
    const health = await instance.get('/health');
    expect(health.status).toBe(503);
    expect(health.body).toMatchObject({ status: 'loading' });
    expectUnknown(await instance.get('/me', spared));
    // A wrong token is wrong whatever the log says.
    expect((await instance.get('/me', 'garbage')).status).toBe(401);
    expect((await instance.get('/me')).status).toBe(401);
    proxy.admit();
    await until(() => instance.get('/health'), 200);
    expect((await instance.get('/health')).body).toMatchObject({ status: 'ok' });
    expect(await instance.me(spared)).toBe(200);
  });

  it('P3 fails closed: undecided tokens get 503, tokens known to be revoked 401, and it recovers by itself', async () => {
    expect(await instance.logout(ended)).toBe(204);
    proxy.refuse();
    await until(() => instance.get('/me', spared), 503);
    for (let round = 0; round < 5; round++) {
      expectUnknown(await instance.get('/me', spared));
      const revoked = await instance.get('/me', ended);
      expect(revoked.status).toBe(401);
      expect(revoked.body).toMatchObject({ code: 'session_ended' });
    }
    // Staleness must not drain every instance from the load balancer at once.
    const health = await instance.get('/health');
    expect(health.status).toBe(200);
    expect(health.body).toMatchObject({ status: 'stale' });
    proxy.admit();
    await until(() => instance.get('/me', spared), 200);
    expect(await instance.me(ended)).toBe(401);
  });

  it('P3 fails closed: undecided tokens get 503 also when the database hangs', async () => {
    proxy.freeze();
    await until(() => instance.get('/me', spared), 503);
    expectUnknown(await instance.get('/me', spared));
    expect(await instance.me(ended)).toBe(401);
    proxy.thaw();
    await until(() => instance.get('/me', spared), 200);
  });

  it('P10 honest: logout and login answer 503 while the database is away, and succeed afterwards', async () => {
    const token = mintToken();
    proxy.refuse();
    const [logout, login] = await Promise.all([
      instance.post('/auth/logout', { token }),
      instance.post('/auth/login', { body: { username: 'alice', password: 'x' } }),
    ]);
    for (const answer of [logout, login]) {
      expect(answer.status).toBe(503);
      expect(answer.body).toMatchObject({ statusCode: 503, code: 'storage_unavailable' });
      expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
      expect(answer.headers.get('cache-control')).toBe('no-store');
    }
    proxy.admit();
    await until(() => instance.post('/auth/logout', { token }), 204);
    expect(await instance.me(token)).toBe(401);
  });
});

function expectUnknown(answer: Answer): void {
  expect(answer.status).toBe(503);
  expect(answer.body).toEqual({
    statusCode: 503,
    error: 'Service Unavailable',
    message: expect.any(String),
    code: 'revocation_state_unknown',
  });
  expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
  expect(answer.headers.get('cache-control')).toBe('no-store');
}

/** Asks until the status is this one; only the test's own time limit stops it. */
async function until(ask: () => Promise<Answer>, status: number): Promise<void> {
  while ((await ask()).status !== status) await setTimeout(20);
}
