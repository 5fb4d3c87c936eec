import { randomInt } from 'node:crypto';
import type { AuthClock, CancelSchedule } from '../../platform/auth-clock.js';

/** Hinted polls are at least this far apart (ms), and differently far on each instance. */
const SPACING = { from: 20, to: 50 } as const;

/**
 * Turns hints into polls: the first after quiet at once, those that follow closely into one more poll.
 * However many arrive, they never cause more than one poll in each spacing.
 */
export class HintPacer {
  private quietFrom = -Infinity;
  private cancel: CancelSchedule | undefined;

  /** @param poll - Asks for a poll; while one is in flight, for another after it. */
  constructor(
    private readonly clock: AuthClock,
    private readonly poll: () => void,
  ) {}

  /** Something was committed that this instance has not applied. */
  hint(): void {
    if (this.cancel !== undefined) return;
    const wait = this.quietFrom - this.clock.monotonic();
    if (wait <= 0) this.follow();
    else this.cancel = this.clock.schedule(wait, () => this.follow());
  }

  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  private follow(): void {
    this.cancel = undefined;
    this.quietFrom = this.clock.monotonic() + randomInt(SPACING.from, SPACING.to + 1);
    this.poll();
  }
}
