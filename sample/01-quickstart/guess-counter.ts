import type { GuessLimit } from 'nestjs-logout';

const MINUTE = 60_000;
/** At most so many keys are kept. To push one out, an attacker spends as many guesses on other keys. */
const MOST_KEYS = 100_000;

/** Counts wrong guesses of a minute, in the memory of one process. Several instances would share a Redis. */
export class GuessCounter implements GuessLimit {
  private readonly counts = new Map<string, { guesses: number; readonly until: number }>();

  /** @param limit - Wrong guesses in a minute, for one account from one address. */
  constructor(private readonly limit: number) {}

  take(key: string): number {
    const now = performance.now();
    let count = this.counts.get(key);
    if (count === undefined || count.until <= now) {
      this.forget(now);
      count = { guesses: 0, until: now + MINUTE };
      // Deleted first, so that the map is ordered by age.
      this.counts.delete(key);
      this.counts.set(key, count);
    }
    if (count.guesses >= this.limit) return Math.ceil((count.until - now) / 1_000);
    count.guesses += 1;
    return 0;
  }

  giveBack(key: string): void {
    const count = this.counts.get(key);
    if (count !== undefined && count.guesses > 0) count.guesses -= 1;
  }

  private forget(now: number): void {
    for (const [key, { until }] of this.counts) {
      if (until > now && this.counts.size < MOST_KEYS) return;
      this.counts.delete(key);
    }
  }
}
