import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { describeOn, serverKinds, type TestDatabase } from '../../support/databases.js';
import { headPosition } from '../../support/log-tables.js';
import { mintToken, SHARED_SECRET } from '../../support/mint-token.js';
import { QuickstartProcess } from '../../support/quickstart-process.js';

/** The bound that is promised (s); each wait below is this one, as the promise itself says it. */
const MAX_STALENESS = 2;

describeOn(serverKinds, 'two processes', (kind) => {
  let database: TestDatabase;
  let one: QuickstartProcess;
  let other: QuickstartProcess;

  beforeAll(async () => {
    database = await kind.migrated();
    const env = {
      DATABASE_URL: database.url,
      AUTH_SECRET: SHARED_SECRET,
      MAX_STALENESS: String(MAX_STALENESS),
    };
    [one, other] = await Promise.all([
      QuickstartProcess.start(env),
      QuickstartProcess.start({ ...env, PLATFORM: 'fastify' }),
    ]);
  });

  afterAll(async () => {
    await QuickstartProcess.stopAll();
    await database?.drop();
  });

  it('P1 local: the instance that answered 204 refuses the token from then on', async () => {
    for (let round = 0; round < 20; round++) {
      const token = mintToken();
      expect(await one.me(token)).toBe(200);
      expect(await one.logout(token)).toBe(204);
      expect(await one.me(token)).toBe(401);
    }
  });

  it('P2 bounded: the other instance refuses every request that is sent after the bound', async () => {
    const tokens = Array.from({ length: 20 }, () => mintToken());
    for (const token of tokens) expect(await other.me(token)).toBe(200);
    for (const token of tokens) expect(await one.logout(token)).toBe(204);
    const resolved = performance.now();
    while (performance.now() < resolved + MAX_STALENESS * 1000) {
      await setTimeout(20);
      if ((await other.me(tokens.at(-1) ?? '')) === 401) break;
    }
    // It has followed, or the bound is over: neither way may it accept from here on.
    for (const token of tokens) expect(await other.me(token)).not.toBe(200);
    await expectEventually(401, () => other.me(tokens[0] ?? ''));
  });

  it('P2 bounded: the other instance follows by itself, also without requests', async () => {
    expect(await one.logout(mintToken())).toBe(204);
    // Not the position of the one: it follows its own writes with its next poll.
    const log = await new DataSource(database.options).initialize();
    const goal = await headPosition(log).finally(() => log.destroy());
    while ((await positionOf(other)) < goal) await setTimeout(20);
    expect(await positionOf(other)).toBe(goal);
  });

  it('P2 bounded: logout-all takes effect on the other instance too, and a new login is accepted by both', async () => {
    const old = mintToken({ sub: 'bob' });
    expect((await one.post('/auth/logout-all', { token: old })).status).toBe(204);
    const renewed = await one.login('bob');
    expect(await other.me(renewed)).toBe(200);
    // The new token named a position beyond what the other had read: so it has asked, and knows.
    expect(await other.me(old)).toBe(401);
  });

  it('P2 bounded: a paused instance does not accept by a proof from before the pause', async () => {
    const [ended, spared] = [mintToken(), mintToken()];
    expect(await other.me(ended)).toBe(200);
    other.pause();
    const waiting = [ended, spared].map((token) => statusOf(other.url, token));
    expect(await one.logout(ended)).toBe(204);
    await setTimeout(MAX_STALENESS * 1000);
    other.resume();
    // 503, or a decision by a newer proof: never the old answer.
    expect([401, 503]).toContain(await waiting[0]);
    expect([200, 503]).toContain(await waiting[1]);
    await expectEventually(401, () => other.me(ended));
    await expectEventually(200, () => other.me(spared));
  });

  it('P5 durable: both processes still refuse after a kill and a restart', async () => {
    const ended = Array.from({ length: 10 }, () => mintToken());
    const spared = mintToken();
    for (const token of ended) expect(await one.logout(token)).toBe(204);
    await Promise.all([one.kill(), other.kill()]);
    [one, other] = await Promise.all([one.restart(), other.restart()]);
    for (const each of [one, other]) {
      const answers = await Promise.all(ended.map((token) => each.me(token)));
      expect(answers).toEqual(ended.map(() => 401));
      expect(await each.me(spared)).toBe(200);
    }
  });
});

/** How far an instance has followed; asking for its health does not make it follow. */
async function positionOf(instance: QuickstartProcess): Promise<number> {
  return ((await instance.get('/health')).body as { position: number }).position;
}

/** The status of a request whose bytes are in the socket at once, whenever they are read. */
function statusOf(url: string, token: string): Promise<number> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(`GET /me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    });
    socket.once('data', (bytes) => {
      socket.destroy();
      resolve(Number(bytes.toString('latin1', 9, 12)));
    });
    socket.once('error', reject);
  });
}

async function expectEventually(status: number, ask: () => Promise<number>): Promise<void> {
  for (;;) {
    const answer = await ask();
    if (answer === status) return;
    if (answer !== 503 && answer !== 200 && answer !== 401) throw new Error(`answered ${answer}`);
    await setTimeout(20);
  }
}
