import { setImmediate } from 'node:timers/promises';
import { median } from './bench.js';

/** What each block of one variant took, in the order of the rounds. */
export interface Blocks {
  /** Milliseconds. */
  readonly wall: number[];
  /** Milliseconds of the whole process, its helper threads included; other processes cannot touch it. */
  readonly cpu: number[];
}

/** A ratio and how far half of its rounds lie around it. */
export interface Ratio {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Runs one block of each variant in every round; the order rotates and is reversed every other round.
 * Blocks of one round are compared with each other: what slows the machine for a second slows both.
 */
export async function pairedBlocks<Name extends string>(
  variants: Readonly<Record<Name, () => Promise<void>>>,
  rounds: number,
  progress: (round: number) => void = () => undefined,
): Promise<Record<Name, Blocks>> {
  const names = Object.keys(variants) as Name[];
  const blocks = Object.fromEntries(
    names.map((name) => [name, { wall: [], cpu: [] }]),
  ) as unknown as Record<Name, Blocks>;
  const warmUp = Math.max(3, rounds >> 3);
  for (let round = -warmUp; round < rounds; round++) {
    if (round >= 0) progress(round);
    const turn = names.map((_, i) => names[(i + round + warmUp) % names.length] as Name);
    if (round % 2 !== 0) turn.reverse();
    for (const name of turn) {
      // Timers and sockets run here and not in another block.
      await setImmediate();
      const cpu = process.cpuUsage();
      const start = performance.now();
      await variants[name]();
      const wall = performance.now() - start;
      const { user, system } = process.cpuUsage(cpu);
      if (round < 0) continue;
      blocks[name].wall.push(wall);
      blocks[name].cpu.push((user + system) / 1000);
    }
  }
  return blocks;
}

/** The throughput of `ours` as a share of that of `theirs`: the median over the rounds. */
export function throughput(ours: Blocks, theirs: Blocks, clock: 'wall' | 'cpu' = 'wall'): Ratio {
  const ratios = ours[clock].map((time, round) => (theirs[clock][round] ?? NaN) / time);
  const sorted = ratios.toSorted((a, b) => a - b);
  return {
    median: median(sorted),
    low: sorted[sorted.length >> 2] ?? NaN,
    high: sorted[(sorted.length * 3) >> 2] ?? NaN,
  };
}
