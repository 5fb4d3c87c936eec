import { FOREVER } from './digest-shard.js';

interface Gap {
  readonly after: number;
  readonly before: number;
  untilSeconds: number;
}

/**
 * The positions that jumps leapt over (protocol H2): no event of this log has one of them, so a token
 * whose `gen` lies between was signed in a history that was lost.
 *
 * Such a token is judged as if its `gen` were 0: nobody knows which of the events that are left came
 * before it, so each of them ends it.
 */
export class HistoryGaps {
  /** From the lowest to the highest. */
  private readonly gaps: Gap[] = [];

  get size(): number {
    return this.gaps.length;
  }

  /**
   * Counts a jump in; again changes nothing.
   *
   * @param after - The last position before the jump.
   * @param before - The jump's own position.
   * @param untilSeconds - Until when a token of the gap may be alive.
   */
  add(after: number, before: number, untilSeconds: number): void {
    const index = this.gaps.findIndex((gap) => gap.before >= before);
    const known = this.gaps[index];
    if (known?.before === before) known.untilSeconds = Math.max(known.untilSeconds, untilSeconds);
    else this.gaps.splice(index < 0 ? this.gaps.length : index, 0, { after, before, untilSeconds });
  }

  /** What a token's `gen` counts as. */
  judged(gen: number | undefined): number | undefined {
    if (gen === undefined) return undefined;
    // From the highest: nearly every token is younger than the last jump.
    for (let index = this.gaps.length - 1; index >= 0; index--) {
      const gap = this.gaps[index]!;
      if (gen >= gap.before) return gen;
      if (gen > gap.after) return 0;
    }
    return gen;
  }

  /** Forgets the gaps of which no token can be alive. */
  sweep(nowSeconds: number): void {
    for (let index = this.gaps.length - 1; index >= 0; index--) {
      const { untilSeconds } = this.gaps[index]!;
      if (untilSeconds < nowSeconds && untilSeconds !== FOREVER) this.gaps.splice(index, 1);
    }
  }
}
