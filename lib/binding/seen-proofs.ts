import type { AuthClock } from '../platform/auth-clock.js';

/** Into how many parts the time is divided for which a proof is remembered. */
const PARTS = 4;

interface Part {
  readonly ids: Set<string>;
  /** The latest time that one of them names. */
  readonly latest: number;
}

/**
 * The proofs that were used, so that none is used twice (RFC 9449 section 11.1). Each is remembered for as
 * long as it could be accepted again. None is forgotten to make room: then a new one is refused.
 *
 * It forgets by the monotonic clock, because a wall clock may jump over that time.
 */
export class SeenProofs {
  private readonly parts = new Map<number, Part>();
  private readonly step: number;
  /** The latest time of a proof that was forgotten: once the wall clock is set back, it would be new again. */
  private forgotten = -Infinity;
  private size = 0;

  /**
   * @param life - For how long a proof is remembered (ms).
   * @param most - How many are remembered.
   */
  constructor(
    private readonly clock: Pick<AuthClock, 'monotonic'>,
    life: number,
    private readonly most: number,
  ) {
    this.step = life / PARTS;
  }

  /**
   * Remembers a proof.
   *
   * @param at - The time that it names.
   */
  add(id: string, at: number): 'new' | 'seen' | 'full' {
    const part = Math.floor(this.clock.monotonic() / this.step);
    for (const [each, { ids, latest }] of this.parts) {
      // One part more than its life: it may have come at the end of its own.
      if (each >= part - PARTS) {
        if (ids.has(id)) return 'seen';
        continue;
      }
      this.parts.delete(each);
      this.size -= ids.size;
      this.forgotten = Math.max(this.forgotten, latest);
    }
    if (at <= this.forgotten) return 'seen';
    if (this.size >= this.most) return 'full';
    const { ids, latest } = this.parts.get(part) ?? { ids: new Set(), latest: at };
    this.parts.set(part, { ids: ids.add(id), latest: Math.max(latest, at) });
    this.size++;
    return 'new';
  }
}
