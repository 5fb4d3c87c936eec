import { randomFillSync, randomUUID } from 'node:crypto';
import type {
  LogEvent,
  RevocationKind,
} from '../../lib/database/entities/revocation-event.entity.js';
import { DigestTable } from '../../lib/revocation/index/digest-table.js';
import { EventKeys } from '../../lib/revocation/index/event-key.js';
import { RevocationIndex } from '../../lib/revocation/index/revocation-index.js';
import { atMost, type BenchTable, type Figure, interleave, usedBytes } from './bench.js';
import { runIfMain } from './run-if-main.js';

const OWN = 'https://issuer.example';
const FOREIGN = 'https://foreign.example';
const MILLION = 1_000_000;
const PROBES = 32_768;
const ROUNDS = 15;
const NOW = 1_800_000_000;

const keys = new EventKeys(OWN);

/** Ids as a request has them: out of JSON, flat, and never hashed by anybody before. */
function freshIds(count: number): string[] {
  return JSON.parse(JSON.stringify(Array.from({ length: count }, () => randomUUID())));
}

function eventOf(kind: RevocationKind, id: string): LogEvent {
  return {
    position: 1,
    id: '0'.repeat(32),
    kind,
    key: keys.hex(kind, OWN, id),
    killsBelow: kind === 'subject' ? 1 : null,
    except: null,
    accessOnly: false,
    issuedBefore: null,
    until: (NOW + 600) * 1000,
    reason: 'logout',
  };
}

function fullIndex(kinds: readonly RevocationKind[], count: number): RevocationIndex {
  const index = new RevocationIndex(keys);
  for (let i = 0; i < count; i++) index.add(eventOf(kinds[i % kinds.length]!, randomUUID()));
  return index;
}

/** Deterministic keys without an array of a million of them: a counter, mixed. */
function fillKey(key: Uint32Array, i: number): void {
  for (let word = 0; word < 4; word++) {
    let h = Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(word + 1, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
    h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
    key[word] = h ^ (h >>> 15);
  }
}

/** Misses, one table of a million asked each time, unless the name says otherwise. */
async function misses(): Promise<Figure[]> {
  const index = fullIndex(['token'], MILLION);
  const large = fullIndex(['token'], 10 * MILLION);
  const both = fullIndex(['token', 'session'], MILLION);
  const marked = fullIndex(['subject'], MILLION);
  const map = new Map<string, number>();
  for (let i = 0; i < MILLION; i++) map.set(randomUUID(), NOW);

  const out = new Uint32Array(4);
  let probes: string[] = [];
  let hits = 0;
  const ask = (table: RevocationIndex) => (): void => {
    for (const jti of probes) if (table.find({ iss: OWN, jti }) !== undefined) hits++;
  };
  const variants = {
    'loop alone': () => {
      for (const jti of probes) if (jti.length === 0) hits++;
    },
    miss: ask(index),
    'miss, the same again (A/A)': ask(index),
    'miss at 1e7': ask(large),
    Map: () => {
      for (const jti of probes) if (map.get(jti) !== undefined) hits++;
    },
    both: () => {
      for (let i = 0; i < PROBES; i += 2) {
        const [jti, sid] = [probes[i]!, probes[i + 1]!];
        if (both.find({ iss: OWN, jti, sid }) !== undefined) hits++;
      }
    },
    subject: () => {
      for (const sub of probes) if (marked.find({ iss: OWN, sub, gen: 1 }) !== undefined) hits++;
    },
    'own key': () => {
      for (const id of probes) keys.write('token', OWN, id, out);
    },
    'foreign key': () => {
      for (const id of probes) keys.write('token', FOREIGN, id, out);
    },
  };
  // A tight loop on a table that is at hand, as the other studies have it: each variant is run once
  // untimed on other ids, else the caches hold what the variant before it left there.
  const time = await interleave(variants, ROUNDS, (name) => {
    probes = freshIds(PROBES);
    const others = probes;
    probes = freshIds(PROBES);
    variants[name]();
    probes = others;
  });
  if (hits > 0) throw new Error('a fresh UUID was found');
  const each = (ms: number): number => (ms * 1e6) / PROBES;
  const miss = each(time.miss - time['loop alone']);
  return [
    atMost('miss at 1e6, fresh UUID', miss, 'ns', 130, 'key and one table; loop subtracted'),
    {
      name: 'the same again (A/A control)',
      value: each(time['miss, the same again (A/A)'] - time['loop alone']),
      unit: 'ns',
    },
    atMost(
      'miss at 1e7, fresh UUID',
      each(time['miss at 1e7'] - time['loop alone']),
      'ns',
      250,
      'key and one table; loop subtracted',
    ),
    {
      name: 'Map<string, number> at 1e6, fresh UUID',
      value: each(time.Map - time['loop alone']),
      unit: 'ns',
      note: `${(time.Map / time.miss).toFixed(1)}x`,
    },
    {
      name: 'miss, jti and sid, 5e5 each',
      value: each(time.both - time['loop alone']) * 2,
      unit: 'ns',
    },
    {
      name: 'miss, subject, 1e6 accounts marked',
      value: each(time.subject - time['loop alone']),
      unit: 'ns',
      note: 'SHA-256 included; only while an account is marked',
    },
    { name: 'key of an own UUID', value: each(time['own key'] - time['loop alone']), unit: 'ns' },
    {
      name: 'key of a foreign id (SHA-256)',
      value: each(time['foreign key'] - time['loop alone']),
      unit: 'ns',
    },
  ];
}

function memory(): Figure[] {
  const before = usedBytes();
  let index: RevocationIndex | undefined = fullIndex(['token'], MILLION);
  const bytes = usedBytes() - before;
  const arrays = index.stats().bytes;
  const start = performance.now();
  index.beginReload();
  const begun = performance.now();
  if (index.countMissing(NOW * 1000) !== MILLION) throw new Error('entries were lost');
  const counted = performance.now();
  index = undefined;

  // The size of a table just after its shards grew is luck: the worst of all sizes counts.
  const table = new DigestTable();
  const key = new Uint32Array(4);
  let worst = 0;
  let sum = 0;
  for (let i = 1; i <= 2 * MILLION; i++) {
    fillKey(key, i);
    table.add(key, NOW, 1);
    if (i <= MILLION / 2) continue;
    worst = Math.max(worst, table.byteLength / i);
    sum += table.byteLength / i;
  }

  const beforeMap = usedBytes();
  const map = new Map<string, number>();
  for (const id of freshIds(MILLION)) map.set(id, NOW);
  const mapBytes = usedBytes() - beforeMap;
  if (map.size !== MILLION) throw new Error('entries were lost');
  return [
    atMost('bytes an entry at 1e6', bytes / MILLION, 'B', 37, 'heap and external, all included'),
    { name: 'of them in typed arrays', value: arrays / MILLION, unit: 'B' },
    {
      name: 'mean over all sizes from 5e5 to 2e6',
      value: sum / (1.5 * MILLION),
      unit: 'B',
      note: `typed arrays; worst size ${worst.toFixed(1)} B`,
    },
    { name: 'Map<string, number> at 1e6', value: mapBytes / MILLION, unit: 'B' },
    { name: 'begin the comparison with a reload, 1e6', value: begun - start, unit: 'ms' },
    { name: 'end it', value: counted - begun, unit: 'ms' },
  ];
}

/**
 * The worst single step. On a shared machine any loop is now and then held up for milliseconds, so
 * the same run is repeated: what a step costs is its fastest repetition, and the worst step is the worst
 * of those. The plain worst stands beside it, and that of a loop that does nothing.
 */
function steps(): Figure[] {
  const seed = randomFillSync(new Uint32Array(4));
  const key = new Uint32Array(4);
  const repetitions = 5;
  const adds = new Float64Array(MILLION).fill(Infinity);
  const sweeps: number[] = [];
  const plain = { add: 0, sweep: 0, idle: 0 };
  for (let repetition = 0; repetition < repetitions; repetition++) {
    const table = new DigestTable({ seed });
    for (let i = 0; i < MILLION; i++) {
      fillKey(key, i);
      const start = performance.now();
      table.add(key, i % 2 === 0 ? NOW : NOW + 600, 1);
      const took = performance.now() - start;
      if (took > plain.add) plain.add = took;
      if (took < adds[i]!) adds[i] = took;
    }
    for (let step = 0; table.size > MILLION / 2; step++) {
      const start = performance.now();
      table.sweep(NOW + 1, 4096);
      const took = performance.now() - start;
      plain.sweep = Math.max(plain.sweep, took);
      sweeps[step] = Math.min(sweeps[step] ?? Infinity, took);
    }
    for (let i = 0; i < MILLION; i++) {
      fillKey(key, i);
      const start = performance.now();
      plain.idle = Math.max(plain.idle, performance.now() - start);
    }
  }
  const worstAdd = adds.reduce((worst, took) => Math.max(worst, took));
  const note = (worst: number): string =>
    `plain worst of ${repetitions} runs ${worst.toFixed(2)} ms`;
  return [
    atMost(
      'worst add while building 1e6',
      worstAdd,
      'ms',
      1,
      `growing included; ${note(plain.add)}`,
    ),
    atMost(
      'worst sweep step, half of 1e6 expiring',
      Math.max(...sweeps),
      'ms',
      1,
      `${sweeps.length} steps; ${note(plain.sweep)}`,
    ),
    { name: 'a step that does nothing', value: plain.idle, unit: 'ms', note: 'plain worst: noise' },
  ];
}

function tenMillion(): Figure[] {
  const table = new DigestTable();
  const key = new Uint32Array(4);
  const count = 10 * MILLION;
  let worst = 0;
  const begin = performance.now();
  for (let i = 0; i < count; i++) {
    fillKey(key, i);
    const start = performance.now();
    table.add(key, NOW, 1);
    worst = Math.max(worst, performance.now() - start);
  }
  const took = performance.now() - begin;
  let found = 0;
  for (let i = 0; i < count; i += 97) {
    fillKey(key, i);
    if (table.find(key) >= 0) found++;
  }
  if (table.size !== count || found !== Math.ceil(count / 97)) throw new Error('a ceiling');
  return [
    {
      name: '1e7 entries, no ceiling',
      value: table.byteLength / 1e6,
      unit: 'MB',
      note: `${(table.byteLength / count).toFixed(1)} B an entry, ${Math.round((took * 1e6) / count)} ns an add, plain worst add ${worst.toFixed(2)} ms`,
    },
  ];
}

/** The index beside a `Map`: misses, memory, stalls. */
export async function run(): Promise<BenchTable> {
  const figures = [...memory(), ...steps(), ...(await misses()), ...tenMillion()];
  return { title: 'The index', node: process.versions.node, figures };
}

await runIfMain(import.meta.url, run);
