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
  readonly control: number;
  /** How far any launch is from that ratio. */
  readonly spread: number;
  readonly verdict: 'slower' | 'faster' | 'same';
}

/** A smaller difference means nothing, however well the launches agree. */
const LEAST_NOISE = 0.05;

/**
 * Compares the builds by all launches of one figure.
 *
 * The noise is the largest disagreement that was seen, not a typical one: between the two copies of the
 * base, or between launches. Dozens of figures are judged in a run, and none of them may fail a pull
 * request by chance.
 */
export function judge(launches: readonly Launch[]): Judgement {
  const ratios = launches.map(({ base, head, again }) => (2 * head) / (base + again));
  const ratio = median(ratios);
  const control = Math.max(...launches.map(({ base, again }) => distance(base, again)));
  const spread = Math.max(...ratios.map((each) => distance(each, ratio)));
  const limit = 1 + Math.max(LEAST_NOISE, control, spread);
  return {
    base: median(launches.map(({ base }) => base)),
    head: median(launches.map(({ head }) => head)),
    ratio,
    control,
    spread,
    verdict: ratio > limit ? 'slower' : ratio < 1 / limit ? 'faster' : 'same',
  };
}

function distance(one: number, other: number): number {
  return Math.max(one / other, other / one) - 1;
}
