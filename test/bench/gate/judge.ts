import { median } from '../bench.js';

/** What one figure came to in one launch of the three builds; less is better. */
export interface Launch {
  readonly base: number;
  readonly head: number;
  /** A second copy of the base: the A/A control. */
  readonly again: number;
}

/** Whether the head differs from the base by more than the noise. */
export interface Judgement {
  /** The median over the launches. */
  readonly base: number;
  readonly head: number;
  /** Head against the mean of both copies of the base: the median over the launches. */
  readonly ratio: number;
  /** The largest difference between the two copies of the base in any launch: 0.05 is 5 %. */
  readonly spread: number;
  readonly verdict: 'slower' | 'faster' | 'same';
}

/** A smaller difference means nothing, however close the two copies of the base are. */
const LEAST_NOISE = 0.05;

/**
 * Compares the builds by all launches of one figure.
 *
 * The noise is the largest difference between the two copies of the base, not a typical one: dozens of
 * figures are judged in a run, and none of them may fail a pull request by chance.
 */
export function judge(launches: readonly Launch[]): Judgement {
  const ratio = median(launches.map(({ base, head, again }) => (2 * head) / (base + again)));
  const spread = Math.max(
    ...launches.map(({ base, again }) => Math.max(base / again, again / base) - 1),
  );
  const limit = 1 + Math.max(LEAST_NOISE, spread);
  return {
    base: median(launches.map(({ base }) => base)),
    head: median(launches.map(({ head }) => head)),
    ratio,
    spread,
    verdict: ratio > limit ? 'slower' : ratio < 1 / limit ? 'faster' : 'same',
  };
}
