import { join } from 'node:path';
import { GCProfiler } from 'node:v8';
import { atLeast, atMost, type BenchTable, type Figure } from './bench.js';
import { type GuardApp, type Platform, startGuardApp } from './guard/app.js';
import { hasSqlite } from './guard/blacklist.js';
import { countCalls } from './guard/count-calls.js';
import { type Driver, injectDriver, socketDriver } from './guard/drivers.js';
import { bar, BLOCK, each, plain, raceRoutes, spread } from './guard/variants.js';
import { throughput } from './paired.js';
import { progress, times } from './progress.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { runIfMain } from './run-if-main.js';

const REVOKED = times(1_000_000, 100_000);
const MARKS = 1_000;
/** For variants that are nearly equal, so that the median is worth three digits. */
const CLOSE_ROUNDS = times(300, 25);
/** For variants that are many times slower, where two digits are enough. */
const FAR_ROUNDS = times(40, 4);
/** How many requests the bytes of one are taken from. */
const COUNTED = times(100_000, 5_000);

const TARGETS = {
  fastify: { seen: 1.4, unseen: 0.97 },
  express: { seen: 1.25, unseen: 0.97 },
} as const;

/** The recipe passes jsonwebtoken a text as secret, which Node 20 parses again at each request. */
const RECIPE = process.versions.node.startsWith('20.') ? 12 : 2.4;

/** A request with our guard beside the same request with others, on both platforms. */
export async function run(): Promise<BenchTable> {
  const folder = temporaryFolder();
  const sqlite = await hasSqlite();
  try {
    const figures: Figure[] = [];
    for (const platform of ['fastify', 'express'] as const) {
      const log = sqlite
        ? ({ type: 'better-sqlite3', database: join(folder.path, `${platform}.sqlite`) } as const)
        : undefined;
      const guard = await startGuardApp(platform, { log, revoked: REVOKED });
      figures.push(...(await measure(platform, guard, sqlite)));
      await guard.app.close();
    }
    return { title: 'A request', node: process.versions.node, figures };
  } finally {
    folder.remove();
  }
}

async function measure(platform: Platform, guard: GuardApp, sqlite: boolean): Promise<Figure[]> {
  const { drive, close } =
    platform === 'fastify'
      ? { drive: injectDriver(guard), close: () => undefined }
      : await socketDriver(guard);
  try {
    const figures = [
      ...(await besideBare(platform, drive)),
      ...(await neverSeen(platform, guard, drive)),
      ...(platform === 'fastify' ? await allocations(drive) : []),
      ...(await besideRecipe(platform, drive)),
      ...(platform === 'fastify' && sqlite ? await calls(guard, drive) : []),
    ];
    guard.mark(MARKS);
    return [...figures, ...(await withMarks(platform, drive))];
  } finally {
    close();
  }
}

async function besideBare(platform: Platform, drive: Driver): Promise<Figure[]> {
  const { bare, again, ours, none } = await raceRoutes(
    `${platform}: beside bare AuthGuard('jwt')`,
    drive,
    CLOSE_ROUNDS,
    {
      bare: { path: 'bare' },
      again: { path: 'again' },
      ours: { path: 'ours' },
      none: { path: 'none' },
    },
  );
  const ratio = throughput(ours, bare);
  const control = throughput(again, bare);
  const open = throughput(none, bare);
  return [
    {
      ...atLeast(
        `${platform}: tokens seen, 1e6 live revocations, throughput against AuthGuard('jwt') with a KeyObject and no revocation`,
        ratio.median,
        'x',
        TARGETS[platform].seen,
        `${spread(ratio)}; by CPU time ${spread(throughput(ours, bare, 'cpu'))}`,
      ),
      peer: `${each(bare)}, ours ${each(ours)}`,
      ...bar(platform, 'nestjs-logout, token seen before', ratio),
    },
    plain(`${platform}: AuthGuard('jwt') against itself (A/A control)`, control),
    {
      ...plain(`${platform}: no authentication at all`, open),
      ...bar(platform, 'no authentication at all', open),
    },
  ];
}

/** Each request brings a token that is not in the memory, which is full. */
async function neverSeen(platform: Platform, guard: GuardApp, drive: Driver): Promise<Figure[]> {
  const what = `${platform}: tokens never seen`;
  const { unseen } = guard;
  // The memory fills up before the first round.
  for (let sent = 0; sent < guard.memorySize; sent += BLOCK) await drive('/ours', BLOCK, unseen);
  const found = guard.countFound();
  // Each has its own rotation, so that none finds the strings as another left them.
  const { bare, again, ours } = await raceRoutes(what, drive, CLOSE_ROUNDS, {
    bare: { path: 'bare', credentials: unseen.ahead(BLOCK * 30) },
    again: { path: 'again', credentials: unseen.ahead(BLOCK * 60) },
    ours: { path: 'ours', credentials: unseen },
  });
  if (guard.countFound() > found) throw new Error('A token that was to be new was remembered.');
  const ratio = throughput(ours, bare);
  return [
    {
      ...atLeast(
        `${what}, throughput against AuthGuard('jwt') with a KeyObject and no revocation`,
        ratio.median,
        'x',
        TARGETS[platform].unseen,
        `${spread(ratio)}; by CPU time ${spread(throughput(ours, bare, 'cpu'))}`,
      ),
      peer: `${each(bare)}, ours ${each(ours)}`,
      ...bar(platform, 'nestjs-logout, token never seen', ratio),
    },
    plain(`${what}: its A/A control`, throughput(again, bare)),
  ];
}

/** What the garbage collector will have to take away. */
async function allocations(drive: Driver): Promise<Figure[]> {
  progress('fastify: counting bytes');
  const bytes: Record<string, number> = {};
  for (const name of ['bare', 'again', 'ours', 'none']) {
    await drive(`/${name}`, BLOCK * 30);
    bytes[name] = (await allocated(() => drive(`/${name}`, COUNTED))) / COUNTED;
  }
  const { bare = NaN, again = NaN, ours = NaN, none = NaN } = bytes;
  const beyond = (value: number): string => `${Math.round(value - none)} B`;
  return [
    atMost(
      "bytes allocated by a request with a token seen, beyond one with AuthGuard('jwt')",
      Math.round(ours - bare),
      'B',
      0,
      `beyond no authentication: ours ${beyond(ours)}, AuthGuard ${beyond(bare)}, again ${beyond(again)}`,
    ),
  ];
}

/** The bytes that `work` allocates: what remains, and what was collected meanwhile. */
async function allocated(work: () => Promise<void>): Promise<number> {
  const profiler = new GCProfiler();
  const before = process.memoryUsage().heapUsed;
  profiler.start();
  await work();
  const collected = profiler
    .stop()
    .statistics.reduce(
      (sum, { beforeGC, afterGC }) =>
        sum + beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize,
      0,
    );
  return process.memoryUsage().heapUsed - before + collected;
}

async function besideRecipe(platform: Platform, drive: Driver): Promise<Figure[]> {
  const { ours, recipe, again } = await raceRoutes(
    `${platform}: beside the recipe of the documentation`,
    drive,
    FAR_ROUNDS,
    { ours: { path: 'ours' }, recipe: { path: 'recipe' }, again: { path: 'recipe' } },
  );
  const name = `${platform}: against the recipe of the Nest documentation (string secret)`;
  const ratio = throughput(ours, recipe);
  const figure =
    platform === 'fastify'
      ? atLeast(name, ratio.median, 'x', RECIPE, spread(ratio))
      : plain(name, ratio);
  return [
    { ...figure, peer: each(recipe) },
    plain(`${platform}: the recipe against itself (A/A control)`, throughput(again, recipe)),
  ];
}

/** The subject is hashed as soon as one account is marked: what "log out everywhere" costs the others. */
async function withMarks(platform: Platform, drive: Driver): Promise<Figure[]> {
  const { bare, again, ours } = await raceRoutes(
    `${platform}: with ${MARKS} marked accounts`,
    drive,
    CLOSE_ROUNDS,
    { bare: { path: 'bare' }, again: { path: 'again' }, ours: { path: 'ours' } },
  );
  return [
    plain(
      `${platform}: the same with ${MARKS.toLocaleString('en-US')} accounts logged out everywhere as well`,
      throughput(ours, bare),
    ),
    plain(`${platform}: its A/A control`, throughput(again, bare)),
  ];
}

async function calls(guard: GuardApp, drive: Driver): Promise<Figure[]> {
  progress('fastify: counting calls');
  const { database, network } = await countCalls(guard.app, () => drive('/ours', 4_800));
  return [
    atMost('database calls in 4,800 requests', database, '', 0),
    atMost('network calls in 4,800 requests', network, '', 0),
  ];
}

await runIfMain(import.meta.url, run);
