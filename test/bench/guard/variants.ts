import type { Figure, Plot } from '../bench.js';
import { median } from '../bench.js';
import { type Blocks, pairedBlocks, type Ratio } from '../paired.js';
import { progress } from '../progress.js';
import { type Platform, SEEN_TOKENS } from './app.js';
import type { Credentials } from './credentials.js';
import type { Driver } from './drivers.js';

/** Requests of one block. */
export const BLOCK = 96;

/** A route and what its requests carry. */
export interface Variant {
  readonly path: string;
  readonly credentials?: Credentials | undefined;
}

/** Races routes of one application against each other, once ours has seen every token that it is to find. */
export async function raceRoutes<Name extends string>(
  what: string,
  drive: Driver,
  rounds: number,
  variants: Readonly<Record<Name, Variant>>,
): Promise<Record<Name, Blocks>> {
  progress(`${what} (${rounds} rounds)`);
  const isSeen = Object.values<Variant>(variants).every(({ path, credentials }) => {
    return path !== 'ours' || credentials === undefined;
  });
  if (isSeen) await drive('/ours', SEEN_TOKENS);
  const bodies = Object.entries<Variant>(variants).map(
    ([name, { path, credentials }]) => [name, () => drive(`/${path}`, BLOCK, credentials)] as const,
  );
  return pairedBlocks(Object.fromEntries(bodies) as Record<Name, () => Promise<void>>, rounds);
}

/** A ratio without a target. */
export function plain(name: string, ratio: Ratio): Figure {
  return { name, value: ratio.median, unit: 'x', note: spread(ratio) };
}

/** A ratio with three digits and the middle half of its rounds. */
export function spread({ median, low, high }: Ratio): string {
  return `${median.toFixed(3)} (half of the rounds ${low.toFixed(2)}-${high.toFixed(2)})`;
}

export function each({ wall }: Blocks): string {
  return `${((median(wall) * 1000) / BLOCK).toFixed(1)} µs a request`;
}

/** A bar of the chart of requests: throughput against AuthGuard('jwt') without revocation. */
export function bar(platform: Platform, row: string, ratio: Ratio): { plots: readonly Plot[] } {
  const series = platform === 'fastify' ? 'Fastify' : 'Express';
  return { plots: [{ chart: 'requests', row, series, value: ratio.median }] };
}
