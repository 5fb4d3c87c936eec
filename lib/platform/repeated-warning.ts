import type { AuthClock } from './auth-clock.js';

/** Between two lines about the same thing (ms). */
const INTERVAL = 10_000;

/** A warning that every request could cause: said at once, then at most every ten seconds. */
export class RepeatedWarning {
  private said: number | undefined;
  private silent = 0;

  constructor(
    private readonly clock: Pick<AuthClock, 'monotonic'>,
    private readonly write: (message: string) => void,
  ) {}

  /** @param message - Never with a token, an id or a name in it. */
  say(message: string): void {
    const now = this.clock.monotonic();
    if (this.said !== undefined && now - this.said < INTERVAL) {
      this.silent++;
      return;
    }
    this.write(this.silent === 0 ? message : `${message} (And ${this.silent} times before.)`);
    this.said = now;
    this.silent = 0;
  }
}
