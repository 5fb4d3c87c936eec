import { setImmediate } from 'node:timers/promises';
import type { LiveToken } from '../../lib/live/watch.js';
import { LiveParts } from '../support/live-parts.js';
import { atMost, type BenchTable, type Figure, interleave, usedBytes } from './bench.js';
import { closing } from './closing.js';
import { runIfMain } from './run-if-main.js';

const MANY = 100_000;
const FEW = 1_000;
const EVENTS = 500;
const ROUNDS = 15;

type Claims = ReturnType<LiveParts['claims']>;

interface Room {
  readonly parts: LiveParts;
  readonly claims: Claims[];
  /** The first that is not watched yet. */
  next: number;
}

/** Claims as a connection keeps them: parsed from JSON, each of its own account. */
function claimsFor(parts: LiveParts, count: number): Claims[] {
  const all = Array.from({ length: count }, (_, i) => parts.claims({ sub: `account ${i}` }));
  return JSON.parse(JSON.stringify(all)) as Claims[];
}

/** What the registry adds to claims and callbacks that the connections have anyway. */
function memory(count: number): number {
  const parts = new LiveParts();
  const claims = claimsFor(parts, count);
  const options = claims.map((_, i) => ({ kid: 'key', onEnd: () => void i }));
  parts.live.watch(parts.claims()).release();
  const before = usedBytes();
  for (let i = 0; i < count; i++) parts.live.watch(claims[i]!, options[i]);
  const bytes = usedBytes() - before;
  if (parts.meter.watched !== claims.length || options.length !== count) throw new Error('lost');
  return bytes / count;
}

function signals(): number {
  const parts = new LiveParts();
  const claims = claimsFor(parts, MANY / 10);
  const watches = claims.map((each) => parts.live.watch(each));
  const before = usedBytes();
  const made = watches.map(({ signal }) => signal);
  const bytes = usedBytes() - before;
  return bytes / made.length;
}

/** One event that affects no watched token, and one that ends one of them. */
async function events(): Promise<Figure[]> {
  const sizes = { none: 0, few: FEW, many: MANY, again: MANY };
  const rooms = Object.entries(sizes).map(([name, size]) => {
    const parts = new LiveParts();
    const claims = claimsFor(parts, size + (ROUNDS + 2) * EVENTS);
    for (let i = 0; i < size; i++) parts.live.watch(claims[i]!);
    const room: Room = { parts, claims, next: size };
    return [name, room] as const;
  });
  const of = Object.fromEntries(rooms);
  const strangers = async (name: keyof typeof sizes): Promise<void> => {
    const { parts, claims } = of[name]!;
    for (let i = 0; i < EVENTS; i++) parts.event('session', claims.at(-1 - i)?.jti ?? '');
    await setImmediate();
  };
  const ending = async (name: keyof typeof sizes): Promise<void> => {
    const room = of[name]!;
    for (let i = 0; i < EVENTS; i++) {
      const claims = room.claims[room.next++]!;
      room.parts.live.watch(claims);
      room.parts.event('session', claims.sid ?? '');
    }
    await setImmediate();
  };
  const names = Object.keys(sizes) as (keyof typeof sizes)[];
  const time = await interleave(
    Object.fromEntries(names.map((name) => [name, () => strangers(name)])),
    ROUNDS,
  );
  const ended = await interleave(
    Object.fromEntries(names.slice(1).map((name) => [name, () => ending(name)])),
    ROUNDS,
  );
  const each = (ms = NaN): number => (ms * 1e6) / EVENTS;
  return [
    {
      name: 'an event of no watched token, nothing watched',
      value: each(time['none']),
      unit: 'ns',
    },
    {
      name: 'the same, 100,000 watched',
      value: each(time['many']),
      unit: 'ns',
      note: `the same again (A/A): ${Math.round(each(time['again']))} ns`,
    },
    { name: 'watch a token and end it, 1,000 others', value: each(ended['few']), unit: 'ns' },
    {
      name: 'the same, 100,000 others',
      value: each(ended['many']),
      unit: 'ns',
      note: `the same again (A/A): ${Math.round(each(ended['again']))} ns`,
    },
    atMost(
      'the second against the first',
      (ended['many'] ?? NaN) / (ended['few'] ?? NaN),
      'x',
      2,
      'a scan of 100,000 would be 1000x',
    ),
  ];
}

/** All end at once; in between, others get their turn of the event loop. */
async function everyone(): Promise<Figure[]> {
  const parts = new LiveParts();
  let ended = 0;
  const watches: LiveToken[] = claimsFor(parts, MANY).map((claims) =>
    parts.live.watch(claims, { onEnd: () => ended++ }),
  );
  const start = performance.now();
  parts.event('issuer', '');
  const applied = performance.now();
  let longest = applied - start;
  for (let last = performance.now(); ended < watches.length;) {
    await setImmediate();
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }
  return [
    {
      name: 'revokeEveryone() with 100,000 watched: all told after',
      value: performance.now() - start,
      unit: 'ms',
    },
    { name: 'of it the longest turn of the event loop', value: longest, unit: 'ms' },
  ];
}

/** 100,000 watched connections on one instance. */
export async function run(): Promise<BenchTable> {
  const sizes = [66_000, 80_000, MANY];
  const bytes = sizes.map(memory);
  const figures: Figure[] = [
    atMost(
      'bytes a watched token with a callback, the worst of three sizes',
      Math.max(...bytes),
      'B',
      200,
      `${sizes.map((size, i) => `${size}: ${Math.round(bytes[i] ?? NaN)} B`).join(', ')}; its claims and callback not counted`,
    ),
    { name: 'an AbortSignal more, once it is asked for', value: signals(), unit: 'B' },
    ...(await events()),
    ...(await everyone()),
    ...(await closing()),
  ];
  return { title: 'Live connections', node: process.versions.node, figures };
}

await runIfMain(import.meta.url, run);
