import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { setTimeout } from 'node:timers/promises';
import { describeOn, postgres, sqlite, type TestDatabase } from '../../support/databases.js';
import { mintToken, SHARED_SECRET } from '../../support/mint-token.js';
import { QuickstartProcess } from '../../support/quickstart-process.js';
import { rounds } from '../../support/rounds.js';

const KILLS = rounds(1, 3);
const LOGOUTS = 50 * (KILLS + 1);
const CLIENTS = 8;

/** Printed, so that a failed run can be repeated: `KILL_SEED=… npm test`. */
const SEED = Number(process.env['KILL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** mulberry32: small, and the same on every machine. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describeOn([sqlite, postgres], `P5 durable: killed while logging out (seed ${SEED})`, (kind) => {
  let database: TestDatabase;
  let instance: QuickstartProcess;

  beforeAll(async () => {
    database = await kind.migrated();
    const env = { DATABASE_URL: database.url, AUTH_SECRET: SHARED_SECRET };
    instance = await QuickstartProcess.start(env);
  });

  afterAll(async () => {
    await QuickstartProcess.stopAll();
    await database?.drop();
  });

  it('a process killed while logging out still refuses tokens answered with 204, and no others', async () => {
    const random = randomFrom(SEED);
    const queue = Array.from({ length: LOGOUTS }, () => mintToken());
    const neverSent = Array.from({ length: LOGOUTS }, () => mintToken());
    const answered: string[] = [];
    const unanswered: string[] = [];

    /** Logs out, several at a time, until so many more were answered; then a moment more. */
    async function killAfter(count: number): Promise<void> {
      const [reached, reach] = trigger();
      const goal = answered.length + count;
      const load = { isOver: false };
      const work = async (): Promise<void> => {
        while (!load.isOver && queue.length > 0) {
          const token = queue.shift() as string;
          const status = await instance.logout(token).catch(() => 'no answer' as const);
          (status === 204 ? answered : unanswered).push(token);
          if (answered.length >= goal) reach();
        }
        reach();
      };
      const read = async (): Promise<void> => {
        while (!load.isOver) await instance.me(neverSent[0] ?? '').catch(() => undefined);
      };
      const clients = [...Array.from({ length: CLIENTS }, work), read(), read()];
      await reached;
      await setTimeout(random() * 3);
      load.isOver = true;
      await instance.kill();
      await Promise.all(clients);
      instance = await instance.restart();
    }

    for (let kill = 0; kill < KILLS; kill++) {
      await killAfter(Math.floor((random() * LOGOUTS) / KILLS));
    }
    await killAfter(queue.length);
    console.info(
      `killed ${KILLS + 1} times (seed ${SEED}): ${answered.length} answered 204, ` +
        `${unanswered.length} had no answer`,
    );
    expect(answered.length + unanswered.length).toBe(LOGOUTS);
    expect(await Promise.all(answered.map((token) => instance.me(token)))).toEqual(
      answered.map(() => 401),
    );
    expect(await Promise.all(neverSent.map((token) => instance.me(token)))).toEqual(
      neverSent.map(() => 200),
    );
  });
});

function trigger(): [Promise<void>, () => void] {
  let fire: () => void = () => undefined;
  const fired = new Promise<void>((resolve) => (fire = resolve));
  return [fired, fire];
}
