/** Where a figure is drawn, and as what. */
export interface Plot {
  readonly chart: 'requests' | 'growth' | 'rates';
  /** The bars of one row are drawn together; the points of one row are a line. */
  readonly row: string;
  /** Which of the row's bars it is. */
  readonly series?: string;
  /** Where the point is on the axis below. */
  readonly x?: number;
  readonly value: number;
}

/** One line of a table. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The target as it is shown: `'<= 150'`. */
  readonly target?: string;
  readonly met?: boolean;
  readonly note?: string;
  /** The comparison, in words and figures. */
  readonly peer?: string;
  readonly plots?: readonly Plot[];
}

/** The result of a bench: its figures, valid only beside each other. */
export interface BenchTable {
  readonly title: string;
  readonly node: string;
  readonly figures: readonly Figure[];
}

/** A figure that has to stay at or below a limit. */
export function atMost(
  name: string,
  value: number,
  unit: string,
  limit: number,
  note?: string,
): Figure {
  const figure = { name, value, unit, target: `<= ${limit}`, met: value <= limit };
  return note === undefined ? figure : { ...figure, note };
}

/** A figure that has to reach a limit. */
export function atLeast(
  name: string,
  value: number,
  unit: string,
  limit: number,
  note?: string,
): Figure {
  const figure = { name, value, unit, target: `>= ${limit}`, met: value >= limit };
  return note === undefined ? figure : { ...figure, note };
}

/** The middle value; of an even number, the mean of the two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? NaN) + upper) / 2;
}

/**
 * Runs the variants in turn, `rounds` times, and returns the median milliseconds of each.
 *
 * The order rotates and is reversed every other round, so that no variant always runs first or always
 * after the same other one. Name one variant twice (an A/A control): their distance is the noise, and
 * nothing smaller may be claimed. `prepare` runs before each variant, untimed.
 */
export async function interleave<Name extends string>(
  variants: Readonly<Record<Name, () => void | Promise<void>>>,
  rounds: number,
  prepare?: (name: Name) => void | Promise<void>,
): Promise<Record<Name, number>> {
  const names = Object.keys(variants) as Name[];
  const times = new Map<Name, number[]>(names.map((name) => [name, []]));
  // The first round warms up and is thrown away.
  for (let round = 0; round <= rounds; round++) {
    const turn = names.map((_, i) => names[(i + round) % names.length] as Name);
    if (round % 2 === 1) turn.reverse();
    for (const name of turn) {
      await prepare?.(name);
      const start = performance.now();
      await variants[name]();
      if (round > 0) times.get(name)?.push(performance.now() - start);
    }
  }
  const medians = names.map((name) => [name, median(times.get(name) ?? [])]);
  return Object.fromEntries(medians) as Record<Name, number>;
}

/** Bytes that are in use after a full collection, on the heap and beside it. Needs `--expose-gc`. */
export function usedBytes(): number {
  if (globalThis.gc === undefined) throw new Error('run node with --expose-gc');
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** A value with its unit; a ratio has two digits, everything else three. */
export function amount(value: number, unit: string): string {
  if (unit === 'x') return `${rounded(value, 2)}x`;
  return `${rounded(value, 3)} ${unit}`.trim();
}

function rounded(value: number, digits: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(digits)));
}
