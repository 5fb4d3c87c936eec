import { Test } from '@nestjs/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { DataSourceOptions } from 'typeorm';
import { AuthModule } from '../../lib/auth.module.js';
import { LogoutService } from '../../lib/logout/logout.service.js';
import { natsHint } from '../../lib/nats/nats.hint.js';
import { postgresHint } from '../../lib/postgres/postgres.hint.js';
import { redisHint } from '../../lib/redis/redis.hint.js';
import type { RevocationHint } from '../../lib/revocation/hint/revocation-hint.js';
import { RevocationService } from '../../lib/revocation/revocation.service.js';
import { atMost, runIfMain, type BenchTable, type Figure } from './bench.js';
import { progress, times } from './progress.js';
import { startPostgres } from './support/postgres.js';

const ISSUER = 'https://issuer.bench';
const ROUNDS = times(1_000, 20);
/** Without a hint each logout takes up to a second. */
const ROUNDS_WITHOUT = times(100, 3);
const MAX_STALENESS = 5;

const REDIS = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';
const NATS = process.env['NATS_URL'] ?? 'nats://127.0.0.1:4222';

interface Kind {
  readonly name: string;
  readonly hint: RevocationHint | undefined;
  /** Milliseconds, for the 99th percentile. */
  readonly limit: number;
  readonly server?: string;
}

const KINDS: readonly Kind[] = [
  { name: 'PostgreSQL', hint: postgresHint(), limit: 5 },
  { name: 'Redis', hint: redisHint({ url: REDIS }), limit: 3, server: REDIS },
  { name: 'NATS', hint: natsHint({ servers: NATS }), limit: 3, server: NATS },
  { name: 'no hint', hint: undefined, limit: MAX_STALENESS * 1_000 },
];

/** From the answer to a logout on one instance until another refuses; both in this process. */
export async function run(): Promise<BenchTable> {
  const figures: Figure[] = [];
  const server = await startPostgres();
  if (server !== undefined) {
    try {
      for (const kind of KINDS) {
        if (kind.server !== undefined && !(await answers(kind.server))) continue;
        progress(`from a logout here until it holds there: ${kind.name}`);
        figures.push(...(await measure(kind, server.options)));
      }
    } finally {
      await server.stop();
    }
  }
  return { title: 'From a logout on A until B refuses', node: process.versions.node, figures };
}

async function measure(kind: Kind, dataSource: DataSourceOptions): Promise<Figure[]> {
  const here = await open(kind, dataSource);
  const there = await open(kind, dataSource);
  try {
    const delays: number[] = [];
    const rounds = kind.hint === undefined ? ROUNDS_WITHOUT : ROUNDS;
    for (let round = -5; round < rounds; round++) {
      // Quiet in between, and at no fixed distance from a poll: what follows closely waits for its turn.
      await setTimeout(60 + Math.random() * 40);
      const delay = await delayOfOne(here, there);
      if (round >= 0) delays.push(delay);
    }
    const sorted = delays.toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? NaN;
    const note = `p50 ${at(0.5).toFixed(2)} ms, largest ${(sorted.at(-1) ?? NaN).toFixed(2)} ms, ${rounds} logouts`;
    const figures = [
      atMost(
        `a logout answered on A until refused on B, ${kind.name}, p99`,
        at(0.99),
        'ms',
        kind.limit,
        note,
      ),
    ];
    if (kind.hint !== undefined) return figures;
    // Polls come a quarter of the bound apart, less some jitter; the median is half of that.
    const half = (MAX_STALENESS * 1_000) / 8;
    return [...figures, atMost('the same, p50: half a poll', at(0.5), 'ms', half, 'no hint')];
  } finally {
    await there.app.close();
    await here.app.close();
  }
}

interface Opened {
  readonly app: INestApplicationContext;
  readonly logout: LogoutService;
  readonly revocation: RevocationService;
}

async function open({ hint }: Kind, dataSource: DataSourceOptions): Promise<Opened> {
  const module = await Test.createTestingModule({
    imports: [
      AuthModule.forRoot({
        secret: 'a secret of the benches: 32 bytes or more',
        issuer: ISSUER,
        audience: 'https://audience.bench',
        migrations: 'run',
        maxStaleness: MAX_STALENESS,
        dataSource,
        hint,
      }),
    ],
  }).compile();
  const app = await module.init();
  const revocation = app.get(RevocationService);
  const wanted = hint === undefined ? 'off' : 'listening';
  while (revocation.status().hint !== wanted) await setTimeout(5);
  return { app, revocation, logout: app.get(LogoutService) };
}

/** One logout: both instances share the event loop, so what one does delays the other a little. */
async function delayOfOne(here: Opened, there: Opened): Promise<number> {
  const iat = Math.floor(Date.now() / 1000);
  const claims = { iss: ISSUER, sub: 'user', sid: randomUUID(), iat, exp: iat + 300 };
  await here.logout.logout(claims);
  const answered = performance.now();
  for (;;) {
    const verdict = await there.revocation.decide(claims);
    if (verdict.state === 'revoked') return performance.now() - answered;
    await setImmediate();
  }
}

async function answers(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

await runIfMain(import.meta.url, run);
