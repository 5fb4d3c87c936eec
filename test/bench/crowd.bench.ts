import { Test } from '@nestjs/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { AuthModule } from '../../lib/auth.module.js';
import { LogoutService } from '../../lib/logout/logout.service.js';
import { postgresHint } from '../../lib/postgres/postgres.hint.js';
import { RevocationService } from '../../lib/revocation/revocation.service.js';
import { hasPostgresPrograms, PostgresServer } from '../support/postgres-server.js';
import { type BenchTable, type Figure, median } from './bench.js';
import { Distribution } from './distribution.js';
import { progress, times } from './progress.js';
import { untilHeard } from './support/bench-hints.js';
import { FeedsProcess } from './support/feeds-process.js';
import { runIfMain } from './run-if-main.js';

const INSTANCES = times(100, 20);
const ROUNDS = times(3, 1);
/** Milliseconds. */
const BLOCK = times(2_000, 800);
/** Until all that were woken have found their pace (ms): they wake within one interval. */
const SETTLE = 2_000;
/** For how long they may take to catch up and to reconnect (ms). */
const PATIENCE = 20_000;
/** Milliseconds from one logout to the next: 200 in a second, one at a time. */
const PACE = 5;
const ISSUER = 'https://issuer.bench';

/** What logouts took in each block of one variant (ms). */
type Blocks = number[][];

/** What a crowd of instances on the same database costs one that writes. */
export async function run(): Promise<BenchTable> {
  const figures = hasPostgresPrograms ? await measure() : [];
  const title = `${INSTANCES} instances on one PostgreSQL`;
  return { title, node: process.versions.node, figures };
}

async function measure(): Promise<Figure[]> {
  // With fsync, unlike the servers of tests: it is most of what a logout takes.
  const server = await PostgresServer.create({
    fsync: 'on',
    max_connections: '800',
    shared_buffers: '128MB',
  });
  const closing: (() => Promise<void>)[] = [];
  try {
    await server.start();
    const writer = await openWriter(server, 'writer');
    closing.push(() => writer.app.close());
    const teller = await openWriter(server, 'teller');
    closing.push(() => teller.app.close());
    progress(`starting ${INSTANCES} instances that poll, and as many that listen`);
    const polling = await FeedsProcess.start({ url: server.url(), count: INSTANCES, hint: false });
    closing.push(() => polling.stop());
    await polling.pause();
    const listening = await FeedsProcess.start({ url: server.url(), count: INSTANCES, hint: true });
    closing.push(() => listening.stop());
    await listening.pause();
    return await race(writer, teller, polling, listening);
  } finally {
    for (const close of closing.toReversed()) await close();
    await server.remove();
  }
}

async function race(
  writer: Writer,
  teller: Writer,
  polling: FeedsProcess,
  listening: FeedsProcess,
): Promise<Figure[]> {
  const variants = {
    alone: () => block(writer),
    again: () => block(writer),
    polled: () => among(polling, writer),
    'telling alone': () => block(teller),
    heard: () => among(listening, teller),
  };
  type Name = keyof typeof variants;
  const names = Object.keys(variants) as Name[];
  const blocks = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
    Name,
    Blocks
  >;
  await Promise.all([block(writer), block(teller)]); // warms up
  for (let round = 0; round < ROUNDS; round++) {
    progress(`round ${round + 1} of ${ROUNDS}`);
    const turn = names.map((_, i) => names[(i + round) % names.length] as Name);
    if (round % 2 !== 0) turn.reverse();
    for (const name of turn) blocks[name].push(await variants[name]());
  }
  return [
    change(
      `a logout's p99 beside ${INSTANCES} instances that poll`,
      blocks.polled,
      blocks.alone,
      10,
    ),
    change(`the same with nobody twice (A/A control)`, blocks.again, blocks.alone),
    change(
      `a logout's p99 beside ${INSTANCES} instances that listen, ${1_000 / PACE} logouts a second`,
      blocks.heard,
      blocks['telling alone'],
      10,
    ),
  ];
}

/** By how much the p99 over all blocks is larger than the other. */
function change(name: string, ours: Blocks, theirs: Blocks, limit?: number): Figure {
  const beside = new Distribution(ours.flat());
  const without = new Distribution(theirs.flat());
  const value = (beside.at(0.99) / without.at(0.99) - 1) * 100;
  const perRound = median(ours.map((block, round) => p99(block) / p99(theirs[round] ?? []) - 1));
  const note = `${beside}; without them ${without}; median of the rounds ${(perRound * 100).toFixed(0)} %`;
  const figure = { name, value, unit: '% more', note };
  return limit === undefined ? figure : { ...figure, target: `< ${limit}`, met: value < limit };
}

function p99(took: readonly number[]): number {
  return new Distribution(took).at(0.99);
}

/** A block while these are awake. */
async function among(instances: FeedsProcess, writer: Writer): Promise<number[]> {
  await instances.resume();
  await setTimeout(SETTLE);
  const late = performance.now() + PATIENCE;
  while ((await instances.countFresh()) < INSTANCES) {
    if (performance.now() > late) throw new Error('Not all of the instances follow the log.');
    await setTimeout(50);
  }
  const took = await block(writer);
  await instances.pause();
  await setTimeout(100);
  return took;
}

/** Logouts one at a time, each at its moment. */
async function block({ logout }: Writer): Promise<number[]> {
  const took: number[] = [];
  const begun = performance.now();
  for (let at = begun; at < begun + BLOCK; at += PACE) {
    const wait = at - performance.now();
    if (wait > 0) await setTimeout(wait);
    const sent = performance.now();
    await logout();
    took.push(performance.now() - sent);
  }
  return took;
}

interface Writer {
  readonly app: INestApplicationContext;
  readonly logout: () => Promise<unknown>;
}

async function openWriter(server: PostgresServer, name: 'writer' | 'teller'): Promise<Writer> {
  const module = await Test.createTestingModule({
    imports: [
      AuthModule.forRoot({
        secret: 'a secret of the benches: 32 bytes or more',
        issuer: ISSUER,
        audience: 'https://audience.bench',
        strategyName: name,
        migrations: 'run',
        dataSource: { type: 'postgres', url: server.url() },
        hint: name === 'teller' ? postgresHint() : undefined,
      }),
    ],
  }).compile();
  const app = await module.init();
  await untilHeard(app.get(RevocationService));
  const logouts = app.get(LogoutService);
  return {
    app,
    logout: () => {
      const iat = Math.floor(Date.now() / 1000);
      const sid = randomUUID();
      return logouts.logout({ iss: ISSUER, sub: 'user', sid, iat, exp: iat + 300 });
    },
  };
}

await runIfMain(import.meta.url, run);
