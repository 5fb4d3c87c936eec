import { setTimeout } from 'node:timers/promises';
import { mintToken } from '../support/mint-token.js';
import { atMost, type BenchTable, type Figure } from './bench.js';
import { Distribution } from './distribution.js';
import { progress, times } from './progress.js';
import { hasServer, type HintName } from './support/bench-hints.js';
import { InstanceProcess } from './support/instance-process.js';
import { startPostgres } from './support/postgres.js';
import { Probe } from './support/probe.js';
import { runIfMain } from './run-if-main.js';

const ROUNDS = times(180, 20);
/** Without push notifications: how long one logs out, and how far apart (ms). */
const WITHOUT = { time: times(15_000, 4_000), pause: 100 } as const;
/** Seconds. */
const MAX_STALENESS = 5;

interface Kind {
  readonly name: string;
  readonly hint: HintName | undefined;
  /** Milliseconds, for the 99th percentile. */
  readonly limit: number;
}

const KINDS: readonly Kind[] = [
  { name: 'PostgreSQL', hint: 'postgres', limit: 5 },
  { name: 'Redis', hint: 'redis', limit: 3 },
  { name: 'NATS', hint: 'nats', limit: 3 },
  { name: 'no hint', hint: undefined, limit: MAX_STALENESS * 1_000 },
];

/** Two instances in their own processes, and a client that logs out on one and asks the other. */
interface Scene {
  readonly here: Probe;
  readonly there: Probe;
}

/**
 * From the answer to a logout on A until B refuses the token, both as an outsider gets them over HTTP:
 * one clock, that of the outsider.
 */
export async function run(): Promise<BenchTable> {
  const figures: Figure[] = [];
  const server = await startPostgres();
  if (server !== undefined) {
    try {
      for (const kind of KINDS) {
        if (!(await hasServer(kind.hint))) {
          progress(`no server for ${kind.name}: left out`);
          continue;
        }
        progress(`from a logout on A until B refuses: ${kind.name}`);
        figures.push(...(await inScene(kind, server.url)));
      }
    } finally {
      await server.stop();
    }
  }
  return { title: 'From a logout on A until B refuses', node: process.versions.node, figures };
}

async function inScene(kind: Kind, url: string): Promise<Figure[]> {
  const settings = { url, hint: kind.hint, maxStaleness: MAX_STALENESS };
  const a = await InstanceProcess.start(settings);
  const b = await InstanceProcess.start(settings);
  const scene = { here: await Probe.open(a.port), there: await Probe.open(b.port) };
  try {
    return await (kind.hint === undefined ? withoutHint(kind, scene) : withHint(kind, scene));
  } finally {
    scene.here.close();
    scene.there.close();
    await Promise.all([a.stop(), b.stop()]);
  }
}

async function withHint({ name, limit }: Kind, { here, there }: Scene): Promise<Figure[]> {
  const delays: number[] = [];
  const refusals: number[] = [];
  for (let round = -20; round < ROUNDS; round++) {
    // Quiet in between, and at no fixed distance from a poll: what follows closely waits for its turn.
    await setTimeout(52 + Math.random() * 10);
    const token = mintToken();
    const answered = await logOut(here, token);
    const refused = await refusedBy(there, token);
    const { sent, received } = await there.ask('GET /me', token);
    if (round < 0) continue;
    delays.push(refused - answered);
    refusals.push(received - sent);
  }
  const delay = new Distribution(delays);
  const what = `a logout answered on A until refused on B, ${name}`;
  return [atMost(`${what}, p99`, delay.at(0.99), 'ms', limit, `${delay}`), control(name, refusals)];
}

/** Several tokens at a time are on their way to B: one after the other would take minutes. */
async function withoutHint({ limit }: Kind, { here, there }: Scene): Promise<Figure[]> {
  const delays: number[] = [];
  const refusals: number[] = [];
  const awaited = new Map<string, number>();
  const end = performance.now() + WITHOUT.time;
  const logouts = (async () => {
    while (performance.now() < end) {
      const token = mintToken();
      awaited.set(token, await logOut(here, token));
      await setTimeout(WITHOUT.pause * (0.5 + Math.random()));
    }
  })();
  while (performance.now() < end || awaited.size > 0) {
    for (const [token, answered] of awaited) {
      const { status, sent, received } = await there.ask('GET /me', token);
      if (status !== 401) continue;
      awaited.delete(token);
      delays.push(received - answered);
      refusals.push(received - sent);
    }
    await setTimeout(1);
  }
  await logouts;
  const delay = new Distribution(delays);
  // Polls come a quarter of the bound apart, less some jitter; the median is half of that.
  const half = (MAX_STALENESS * 1_000) / 8;
  const what = 'a logout answered on A until refused on B, no hint';
  return [
    atMost(`${what}, largest`, delay.most, 'ms', limit, `${delay}`),
    atMost(`${what}, p50: half a poll`, delay.at(0.5), 'ms', half),
    control('no hint', refusals),
  ];
}

/** When the logout was answered. */
async function logOut(here: Probe, token: string): Promise<number> {
  const { status, received } = await here.ask('POST /logout', token);
  if (status !== 204) throw new Error(`A logout was answered with ${status}.`);
  return received;
}

/** When the token was refused for the first time; asked as fast as B answers. */
async function refusedBy(there: Probe, token: string): Promise<number> {
  for (;;) {
    const { status, received } = await there.ask('GET /me', token);
    if (status === 401) return received;
    if (status !== 200) throw new Error(`B answered ${status}.`);
  }
}

/** Each figure above holds at least one of these, and less than two of them as its grain. */
function control(name: string, refusals: readonly number[]): Figure {
  const one = new Distribution(refusals);
  return {
    name: `one refused request to B, ${name} (the probe itself), p50`,
    value: one.at(0.5),
    unit: 'ms',
    note: `${one}`,
  };
}

await runIfMain(import.meta.url, run);
