import { INSTANCES } from '../load/scenario.js';
import { Random } from '../random.js';

/** What can happen to an instance, or to its way to the database. */
export const INSTANCE_FAULTS = [
  'delay',
  'cut',
  'freeze',
  'refuse',
  'swallow commits',
  'cut commits',
  'swallow polls',
  'pause',
  'kill',
  'cold start',
  'clock',
] as const;

export type FaultKind = (typeof INSTANCE_FAULTS)[number] | 'database';

/** One fault; times in milliseconds from the start of its round. */
export interface Fault {
  readonly kind: FaultKind;
  readonly at: number;
  readonly lasts: number;
  /** Of no instance: the database server itself. */
  readonly on: number | undefined;
  /** Of `delay` in milliseconds; of the three that look at statements, how many of ten are hit. */
  readonly size: number;
}

const WEIGHTS = {
  delay: 3,
  cut: 3,
  freeze: 4,
  refuse: 3,
  'swallow commits': 4,
  'cut commits': 2,
  'swallow polls': 2,
  pause: 3,
  kill: 1.5,
  'cold start': 0.5,
  clock: 1.5,
} as const;

/** An application waits for its first load for 10 s before it listens, closed; and then some (ms). */
const COLD_START = 12_500;

/**
 * The faults of one round; they follow from seed and round alone.
 *
 * Each instance has its own line, so that a fault is over before the next one hits the same
 * instance; faults of several instances may overlap. Every other round the server is killed.
 */
export function planFaults(
  seed: number,
  round: number,
  length: number,
  bound: number,
): readonly Fault[] {
  const random = new Random(seed, 'faults', round);
  const faults: Fault[] = [];
  for (let on = 0; on < INSTANCES; on++) {
    let at = random.between(1_000, 5_000);
    for (;;) {
      const kind = random.weighted(WEIGHTS);
      // Some longer than the lease, some shorter.
      const share = 0.2 + random.next() * 2;
      const lasts = kind === 'cold start' ? COLD_START : Math.round(bound * share);
      const size = kind === 'delay' ? random.between(10, 400) : random.between(3, 10);
      if (at + lasts > length) break;
      faults.push({ kind, at, lasts, on, size });
      at += lasts + random.between(1_000, 6_000);
    }
  }
  if (random.isLikely(0.5)) {
    const at = random.between(2_000, Math.max(2_000, length - 6_000));
    const lasts = Math.round(bound * (0.1 + random.next() * 1.5));
    faults.push({ kind: 'database', at, lasts, on: undefined, size: 0 });
  }
  return faults.sort((one, other) => one.at - other.at);
}
