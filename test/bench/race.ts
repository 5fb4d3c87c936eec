import { median } from './bench.js';
import { Distribution } from './distribution.js';
import { times } from './progress.js';

const BLOCK_MS = times(500, 100);
const ROUNDS = times(9, 2);

/** One way to write a logout down; resolves when it is durable. */
export type Write = (caller: number) => Promise<unknown>;

export interface Variant {
  readonly write: Write;
  readonly callers: number;
}

/** Logouts in a second, and how long each of them took (ms). */
export interface Pace {
  readonly rates: number[];
  readonly latencies: number[];
}

/** Races the variants: each has `BLOCK_MS` in each round, in turn; its callers write as fast as they are answered. */
export async function race<Name extends string>(
  variants: Readonly<Record<Name, Variant>>,
): Promise<Record<Name, Pace>> {
  const names = Object.keys(variants) as Name[];
  const paces = Object.fromEntries(
    names.map((name) => [name, { rates: [], latencies: [] }]),
  ) as unknown as Record<Name, Pace>;
  for (let round = -1; round < ROUNDS; round++) {
    const turn = names.map((_, i) => names[(i + round + 1) % names.length] as Name);
    if (round % 2 !== 0) turn.reverse();
    for (const name of turn) {
      const pace = await block(variants[name]);
      if (round < 0) continue;
      paces[name].rates.push(...pace.rates);
      paces[name].latencies.push(...pace.latencies);
    }
  }
  return paces;
}

async function block({ write, callers }: Variant): Promise<Pace> {
  const latencies: number[] = [];
  const start = performance.now();
  const end = start + BLOCK_MS;
  const call = async (_: unknown, caller: number): Promise<void> => {
    for (let sent = performance.now(); sent < end;) {
      await write(caller);
      const answered = performance.now();
      latencies.push(answered - sent);
      sent = answered;
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  return { rates: [latencies.length / ((performance.now() - start) / 1000)], latencies };
}

/** The rate of one variant over that of another: the median over the rounds. */
export function against<Name extends string>(
  paces: Record<Name, Pace>,
): (ours: Name, theirs: Name) => number {
  return (ours, theirs) =>
    median(paces[ours].rates.map((rate, round) => rate / (paces[theirs].rates[round] ?? NaN)));
}

/** Its rate and its latencies, as a note. */
export function describe({ rates, latencies }: Pace): string {
  return `${Math.round(median(rates)).toLocaleString('en-US')}/s, ${new Distribution(latencies)}`;
}
