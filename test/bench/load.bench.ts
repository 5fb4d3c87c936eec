import { EventKeys, openLogDatabase, openLogOn, RevocationIndex } from '../support/internals.js';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import type { DataSourceOptions } from 'typeorm';
import { AuthClock } from '../../lib/platform/auth-clock.js';
import { loadLog } from '../../lib/revocation/feed/log-loader.js';
import { atLeast, atMost, type BenchTable, type Figure, median } from './bench.js';
import { isLarge, progress, times } from './progress.js';
import { type DatabaseName, onEachDatabase } from './support/each-database.js';
import { fillLog } from './support/full-log.js';
import { runIfMain } from './run-if-main.js';

const EVENTS = times(1_000_000, 50_000);
/** Loaded from PostgreSQL with `--large`: filling them in takes longer. */
const LARGE = 10 * EVENTS;
const RUNS = 3;
/** Milliseconds. */
const MOST_STALL = 25;
const LEAST_ROWS = 750_000;

/** One cold start. */
interface Load {
  readonly seconds: number;
  /** The longest time in which the event loop answered no request (ms). */
  readonly stall: number;
  /** What the resident memory grew by (MB). */
  readonly megabytes: number;
}

/** The first load of a full log, and whether the process stays alive to others meanwhile. */
export async function run(): Promise<BenchTable> {
  const figures = await onEachDatabase(async (name, options) => {
    await makeTables(options);
    await fillLog(options, EVENTS);
    return measure(name, options, EVENTS);
  });
  if (isLarge) {
    const large = await onEachDatabase(async (name, options) => {
      if (name !== 'PostgreSQL') return [];
      await makeTables(options);
      await fillLog(options, LARGE);
      return [await tenTimes(options)];
    });
    figures.push(...large);
  }
  return { title: 'Cold start', node: process.versions.node, figures };
}

async function makeTables(source: DataSourceOptions): Promise<void> {
  await (await openLogDatabase({ source, schema: undefined, migrations: 'run' })).close();
}

async function measure(
  name: DatabaseName,
  source: DataSourceOptions,
  events: number,
): Promise<Figure[]> {
  const loads: Load[] = [];
  const idle: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    progress(`loading from ${name}, ${i + 1} of ${RUNS}`);
    const one = await load(source, events);
    loads.push(one);
    idle.push(await idleStall(one.seconds * 1_000));
  }
  const stalls = loads.map(({ stall }) => stall);
  const seconds = median(loads.map((one) => one.seconds));
  const rows = `${name}: rows a second`;
  const worst = `the worst of ${RUNS} loads; median of their worst ${median(stalls).toFixed(0)} ms`;
  return [
    atMost(
      `${name}: longest stall of the event loop while 1e6 live events are loaded`,
      Math.max(...stalls),
      'ms',
      MOST_STALL,
      worst,
    ),
    {
      name: `${name}: the same clock while nothing is loaded (A/A control)`,
      value: Math.max(...idle),
      unit: 'ms',
      note: `the worst of ${RUNS} as long times`,
    },
    name === 'PostgreSQL'
      ? atLeast(rows, events / seconds, '', LEAST_ROWS)
      : { name: rows, value: events / seconds, unit: '' },
    { name: `${name}: until the first decision`, value: seconds, unit: 's' },
    {
      name: `${name}: resident memory it adds`,
      value: median(loads.map(({ megabytes }) => megabytes)),
      unit: 'MB',
      note: 'the index included, the rows of a page not yet collected too',
    },
  ];
}

async function tenTimes(source: DataSourceOptions): Promise<Figure> {
  progress(`loading ${LARGE.toLocaleString('en-US')} events from PostgreSQL`);
  const { seconds, stall } = await load(source, LARGE);
  return atMost(
    'PostgreSQL: until the first decision with 1e7 live events',
    seconds,
    's',
    15,
    `longest stall ${stall.toFixed(1)} ms`,
  );
}

async function idleStall(milliseconds: number): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await setTimeout(milliseconds);
  delay.disable();
  return delay.max / 1e6;
}

async function load(source: DataSourceOptions, events: number): Promise<Load> {
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
    if (count < events || index.stats().entries !== events) throw new Error('events were lost');
    const megabytes = (process.memoryUsage.rss() - before) / 1e6;
    return { seconds, stall: delay.max / 1e6, megabytes };
  } finally {
    await database.close();
  }
}

await runIfMain(import.meta.url, run);
