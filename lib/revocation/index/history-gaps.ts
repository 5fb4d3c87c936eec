import { FOREVER } from './digest-shard.js';

interface Gap {
  readonly after: number;
  readonly before: number;
  untilSeconds: number;
}

/**
 * The ranges of positions that jumps skipped (H2). No event of this log has such a position, so a
 * token with such a `gen` was signed in a history that was lost. Its `gen` counts as 0, so every
 * remaining event of its account revokes it, because any of them may be later than the token.
 */
export class HistoryGaps {
  /** In ascending order. */
  private readonly gaps: Gap[] = [];

  get size(): number {
    return this.gaps.length;
  }

  /**
   * Adds a jump. Adding it again changes nothing.
   *
   * @param after - The last position before the jump.
   * @param before - The position of the jump.
   * @param untilSeconds - Until when a token of the gap may be valid (epoch seconds).
   */
  add(after: number, before: number, untilSeconds: number): void {
    const index = this.gaps.findIndex((gap) => gap.before >= before);
    const known = this.gaps[index];
    if (known?.before === before) known.untilSeconds = Math.max(known.untilSeconds, untilSeconds);
    else this.gaps.splice(index < 0 ? this.gaps.length : index, 0, { after, before, untilSeconds });
  }

  /** The `gen` to compare with the events of a token: 0 inside a gap, else unchanged. */
  judged(gen: number | undefined): number | undefined {
    if (gen === undefined) return undefined;
    // The search runs backwards, because nearly every token is later than the last jump.
    for (let index = this.gaps.length - 1; index >= 0; index--) {
      const gap = this.gaps[index]!;
      if (gen >= gap.before) return gen;
      if (gen > gap.after) return 0;
    }
    return gen;
  }

  /** Removes the gaps whose tokens have all expired. */
  sweep(nowSeconds: number): void {
    for (let index = this.gaps.length - 1; index >= 0; index--) {
      const { untilSeconds } = this.gaps[index]!;
      if (untilSeconds < nowSeconds && untilSeconds !== FOREVER) this.gaps.splice(index, 1);
    }
  }
}
