import { EventKeys, openLogOn, RevocationIndex, openLogDatabase } from '../support/internals.js';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { join } from 'node:path';
import type { DataSourceOptions } from 'typeorm';
import { AuthClock } from '../../lib/platform/auth-clock.js';
import { loadLog } from '../../lib/revocation/feed/log-loader.js';
import { atMost, median, runIfMain, type BenchTable, type Figure } from './bench.js';
import { progress, times } from './progress.js';
import { fillLog } from './support/full-log.js';
import { startPostgres } from './support/postgres.js';
import { temporaryFolder } from './support/temporary-folder.js';

const EVENTS = times(1_000_000, 50_000);
const RUNS = 3;

/** One cold start. */
interface Load {
  readonly seconds: number;
  /** The longest time in which the event loop answered nobody (ms). */
  readonly stall: number;
  /** What the resident memory grew by (MB). */
  readonly megabytes: number;
}

/** The first load of a full log, and whether the process stays alive to others meanwhile. */
export async function run(): Promise<BenchTable> {
  const figures = [...(await onSqlite()), ...(await onPostgres())];
  return { title: 'Cold start', node: process.versions.node, figures };
}

async function onSqlite(): Promise<Figure[]> {
  const folder = temporaryFolder();
  try {
    const options: DataSourceOptions = {
      type: 'better-sqlite3',
      database: join(folder.path, 'log.sqlite'),
    };
    await makeTables(options);
    await fillLog(options, EVENTS);
    return await measure('SQLite', options);
  } finally {
    folder.remove();
  }
}

async function onPostgres(): Promise<Figure[]> {
  const server = await startPostgres();
  if (server === undefined) return [];
  try {
    await makeTables(server.options);
    await fillLog(server.options, EVENTS);
    return await measure('PostgreSQL', server.options);
  } finally {
    await server.stop();
  }
}

async function makeTables(source: DataSourceOptions): Promise<void> {
  await (await openLogDatabase({ source, schema: undefined, migrations: 'run' })).close();
}

async function measure(name: string, source: DataSourceOptions): Promise<Figure[]> {
  const loads: Load[] = [];
  for (let i = 0; i < RUNS; i++) {
    progress(`loading from ${name}, ${i + 1} of ${RUNS}`);
    loads.push(await load(source));
  }
  const stalls = loads.map(({ stall }) => stall);
  const seconds = median(loads.map((one) => one.seconds));
  return [
    atMost(
      `${name}: longest stall of the event loop while 1e6 live events are loaded`,
      Math.max(...stalls),
      'ms',
      100,
      `the worst of ${RUNS} loads; median of their worst ${median(stalls).toFixed(0)} ms`,
    ),
    { name: `${name}: rows a second`, value: EVENTS / seconds, unit: '' },
    { name: `${name}: until the first decision`, value: seconds, unit: 's' },
    {
      name: `${name}: resident memory it adds`,
      value: median(loads.map(({ megabytes }) => megabytes)),
      unit: 'MB',
      note: 'the index included, the rows of a page not yet collected too',
    },
  ];
}

async function load(source: DataSourceOptions): Promise<Load> {
  const database = await openLogDatabase({ source, schema: undefined, migrations: 'check' });
  try {
    const clock = new AuthClock();
    const log = await openLogOn(database, clock);
    globalThis.gc?.();
    const before = process.memoryUsage.rss();
    const index = new RevocationIndex(new EventKeys('https://issuer.bench'));
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const start = performance.now();
    const { count } = await loadLog(log, index, clock, { forgettingTime: (now) => now });
    const seconds = (performance.now() - start) / 1000;
    delay.disable();
    // The log jumps first, because no instance follows it: that is one event more.
    if (count < EVENTS || index.stats().entries !== EVENTS) throw new Error('events were lost');
    const megabytes = (process.memoryUsage.rss() - before) / 1e6;
    return { seconds, stall: delay.max / 1e6, megabytes };
  } finally {
    await database.close();
  }
}

await runIfMain(import.meta.url, run);
