import { join } from 'node:path';
import { GCProfiler } from 'node:v8';
import { atLeast, atMost, median, runIfMain, type BenchTable, type Figure } from './bench.js';
import { startGuardApp, type GuardApp, type Platform } from './guard/app.js';
import { hasSqlite, openBlacklist, type Opened, openRedisBlacklist } from './guard/blacklist.js';
import { countCalls } from './guard/count-calls.js';
import { injectDriver, socketDriver, type Driver } from './guard/drivers.js';
import { pairedBlocks, throughput, type Blocks, type Ratio } from './paired.js';
import { progress, times } from './progress.js';
import { startPostgres } from './support/postgres.js';
import { temporaryFolder } from './support/temporary-folder.js';

const REVOKED = times(1_000_000, 100_000);
const MARKS = 1_000;
const BLOCK = 96;
/** Of what is nearly equal, so that the median is worth three digits. */
const CLOSE_ROUNDS = times(300, 25);
/** Of what is many times slower, where two digits are plenty. */
const FAR_ROUNDS = times(40, 4);

const LOOK_UPS: Readonly<Record<string, string>> = {
  'blacklist-sqlite': 'a TypeORM findOne() on SQLite',
  'blacklist-pg': 'a TypeORM findOne() on PostgreSQL',
  'blacklist-redis': 'a GET in Redis',
};

/** How many requests the bytes of one are taken from. */
const COUNTED = times(100_000, 5_000);

const TARGETS = {
  fastify: { seen: 1.4, unseen: 0.97 },
  express: { seen: 1.25, unseen: 0.97 },
} as const;

/** The recipe gives jsonwebtoken a text for a secret, which Node 20 parses anew at each request. */
const RECIPE = process.versions.node.startsWith('20.') ? 12 : 2.4;

/** A request with our guard beside the same request with others, on both platforms. */
export async function run(): Promise<BenchTable> {
  const folder = temporaryFolder();
  const sqlite = await hasSqlite();
  const server = await startPostgres();
  const opened: Opened[] = [];
  try {
    if (sqlite) {
      const file = join(folder.path, 'peers.sqlite');
      opened.push(
        await openBlacklist('blacklist-sqlite', { type: 'better-sqlite3', database: file }),
      );
    }
    if (server !== undefined) opened.push(await openBlacklist('blacklist-pg', server.options));
    const redis = await openRedisBlacklist('blacklist-redis');
    if (redis !== undefined) opened.push(redis);
    const figures: Figure[] = [];
    for (const platform of ['fastify', 'express'] as const) {
      const log = sqlite
        ? ({ type: 'better-sqlite3', database: join(folder.path, `${platform}.sqlite`) } as const)
        : undefined;
      const blacklists = opened.map(({ blacklist }) => blacklist);
      const guard = await startGuardApp(platform, log, blacklists, REVOKED);
      figures.push(
        ...(await measure(
          platform,
          guard,
          blacklists.map(({ name }) => name),
          sqlite,
        )),
      );
      await guard.app.close();
    }
    return { title: 'A request', node: process.versions.node, figures };
  } finally {
    for (const { close } of opened) await close();
    await server?.stop();
    folder.remove();
  }
}

async function measure(
  platform: Platform,
  guard: GuardApp,
  blacklists: readonly string[],
  sqlite: boolean,
): Promise<Figure[]> {
  const { drive, close } =
    platform === 'fastify'
      ? { drive: injectDriver(guard), close: () => undefined }
      : await socketDriver(guard);
  try {
    const figures = [
      ...(await besideBare(platform, drive)),
      ...(await neverSeen(platform, guard, drive)),
      ...(platform === 'fastify' ? await allocations(drive) : []),
      ...(await besideRecipe(platform, drive, blacklists)),
      ...(platform === 'fastify' && sqlite ? await calls(guard, drive) : []),
    ];
    guard.mark(MARKS);
    return [...figures, ...(await withMarks(platform, drive))];
  } finally {
    close();
  }
}

async function besideBare(platform: Platform, drive: Driver): Promise<Figure[]> {
  const blocks = await race(`${platform}: beside bare AuthGuard('jwt')`, drive, CLOSE_ROUNDS, [
    'bare',
    'again',
    'ours',
    'none',
  ]);
  const [bare, again, ours, none] = ['bare', 'again', 'ours', 'none'].map(
    (name) => blocks[name] as Blocks,
  ) as [Blocks, Blocks, Blocks, Blocks];
  const figure = atLeast(
    `${platform}: tokens seen, 1e6 live revocations, throughput against AuthGuard('jwt') with a KeyObject and no revocation`,
    throughput(ours, bare).median,
    'x',
    TARGETS[platform].seen,
    `${spread(throughput(ours, bare))}; by CPU time ${spread(throughput(ours, bare, 'cpu'))}`,
  );
  return [
    { ...figure, peer: `${each(bare)}, ours ${each(ours)}` },
    plain(`${platform}: AuthGuard('jwt') against itself (A/A control)`, throughput(again, bare)),
    plain(`${platform}: no authentication at all`, throughput(none, bare)),
  ];
}

/** Each request brings a token that this process has not verified before. */
async function neverSeen(platform: Platform, guard: GuardApp, drive: Driver): Promise<Figure[]> {
  const what = `${platform}: tokens never seen`;
  progress(`${what} (${CLOSE_ROUNDS} rounds)`);
  const blocks = await pairedBlocks(
    {
      bare: () => drive('/bare', BLOCK),
      again: () => drive('/again', BLOCK),
      ours: () => {
        guard.forget();
        return drive('/ours', BLOCK);
      },
    },
    CLOSE_ROUNDS,
  );
  const ratio = throughput(blocks.ours, blocks.bare);
  return [
    atLeast(
      `${what}, throughput against AuthGuard('jwt') with a KeyObject and no revocation`,
      ratio.median,
      'x',
      TARGETS[platform].unseen,
      `${spread(ratio)}; by CPU time ${spread(throughput(blocks.ours, blocks.bare, 'cpu'))}`,
    ),
    plain(`${what}: its A/A control`, throughput(blocks.again, blocks.bare)),
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
    {
      ...atMost(
        "bytes allocated by a request with a token seen, beyond one with AuthGuard('jwt')",
        Math.round(ours - bare),
        'B',
        0,
        `beyond no authentication: ours ${beyond(ours)}, AuthGuard ${beyond(bare)}, again ${beyond(again)}`,
      ),
    },
  ];
}

/** The bytes that `work` allocates: what is there afterwards, and what was collected meanwhile. */
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

async function besideRecipe(
  platform: Platform,
  drive: Driver,
  blacklists: readonly string[],
): Promise<Figure[]> {
  const blocks = await race(
    `${platform}: beside the recipe of the documentation`,
    drive,
    FAR_ROUNDS,
    ['ours', 'recipe', ...blacklists],
  );
  const ours = blocks['ours'] as Blocks;
  const over = (name: string): Ratio => throughput(ours, blocks[name] as Blocks);
  const name = `${platform}: against the recipe of the Nest documentation (string secret)`;
  const peer = each(blocks['recipe'] as Blocks);
  const versus = over('recipe');
  return [
    platform === 'fastify'
      ? { ...atLeast(name, versus.median, 'x', RECIPE, spread(versus)), peer }
      : { ...plain(name, versus), peer },
    ...blacklists.map((blacklist) => ({
      ...plain(
        `${platform}: against the recipe and ${LOOK_UPS[blacklist] ?? blacklist}`,
        over(blacklist),
      ),
      peer: each(blocks[blacklist] as Blocks),
    })),
  ];
}

/** The subject is hashed as soon as one account is marked: what "log out everywhere" costs the others. */
async function withMarks(platform: Platform, drive: Driver): Promise<Figure[]> {
  const blocks = await race(`${platform}: with ${MARKS} marked accounts`, drive, CLOSE_ROUNDS, [
    'bare',
    'again',
    'ours',
  ]);
  const bare = blocks['bare'] as Blocks;
  return [
    plain(
      `${platform}: the same with ${MARKS.toLocaleString('en-US')} accounts logged out everywhere as well`,
      throughput(blocks['ours'] as Blocks, bare),
    ),
    plain(`${platform}: its A/A control`, throughput(blocks['again'] as Blocks, bare)),
  ];
}

async function calls(guard: GuardApp, drive: Driver): Promise<Figure[]> {
  progress('fastify: counting calls');
  const { database, network } = await countCalls(guard.app, () => drive('/ours', 4_800));
  const peer = await countCalls(guard.app, () => drive('/blacklist-sqlite', 480));
  return [
    {
      ...atMost('database calls in 4,800 requests', database, '', 0),
      peer: `${peer.database} in 480 requests with a blacklist`,
    },
    atMost('network calls in 4,800 requests', network, '', 0),
  ];
}

function race(
  what: string,
  drive: Driver,
  rounds: number,
  names: readonly string[],
): Promise<Record<string, Blocks>> {
  progress(`${what} (${rounds} rounds)`);
  const variants = names.map((name) => [name, () => drive(`/${name}`, BLOCK)] as const);
  return pairedBlocks(Object.fromEntries(variants), rounds);
}

function plain(name: string, ratio: Ratio): Figure {
  return { name, value: ratio.median, unit: 'x', note: spread(ratio) };
}

function spread({ median, low, high }: Ratio): string {
  return `${median.toFixed(3)} (half of the rounds ${low.toFixed(2)}-${high.toFixed(2)})`;
}

function each({ wall }: Blocks): string {
  return `${((median(wall) * 1000) / BLOCK).toFixed(1)} µs a request`;
}

await runIfMain(import.meta.url, run);
