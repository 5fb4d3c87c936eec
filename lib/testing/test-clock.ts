import { AuthClock, type CancelSchedule } from '../platform/auth-clock.js';

interface Task {
  readonly at: number;
  readonly run: () => void;
}

/**
 * A clock that does not move until a test advances it. It replaces the wall clock, the monotonic clock, the
 * database's time and the timers of the library. So a lease never expires unexpectedly during a test.
 *
 * @example
 * ```ts
 * const clock = new TestClock();
 * const module = await Test.createTestingModule({ imports: [AppModule] })
 *   .overrideProvider(AuthClock).useValue(clock).compile();
 * clock.advance(900_000); // a quarter of an hour: tokens expire
 * ```
 * @publicApi
 */
export class TestClock extends AuthClock {
  private readonly tasks = new Set<Task>();
  private elapsed = 0;
  private wallOffset = 0;
  private databaseOffset = 0;

  /** @param start - Epoch milliseconds. Default: now, so that real tokens fit. */
  constructor(private readonly start = Date.now()) {
    super();
  }

  override wall(): number {
    return this.start + this.elapsed + this.wallOffset;
  }

  override monotonic(): number {
    return this.elapsed;
  }

  override database(): number {
    return this.start + this.elapsed + this.databaseOffset;
  }

  /** No jitter, so that lifetimes are exact. */
  override jitter(): number {
    return 0;
  }

  override schedule(delay: number, run: () => void): CancelSchedule {
    const task = { at: this.elapsed + delay, run };
    this.tasks.add(task);
    return () => this.tasks.delete(task);
  }

  /** Advances every clock (ms), and runs the timers that become due, in their order. */
  advance(milliseconds: number): void {
    const end = this.elapsed + milliseconds;
    for (let next = this.due(end); next !== undefined; next = this.due(end)) {
      this.tasks.delete(next);
      this.elapsed = Math.max(this.elapsed, next.at);
      next.run();
    }
    this.elapsed = end;
  }

  /**
   * Sets the host's wall clock this far ahead of true time (ms; negative: behind), as an NTP step or an
   * administrator would. The monotonic clock does not change.
   */
  skewWall(milliseconds: number): void {
    this.wallOffset = milliseconds;
  }

  /** Sets the database's clock this far ahead of true time (ms; negative: behind). */
  skewDatabase(milliseconds: number): void {
    this.databaseOffset = milliseconds;
  }

  private due(end: number): Task | undefined {
    let first: Task | undefined;
    for (const task of this.tasks) {
      if (task.at <= end && (first === undefined || task.at < first.at)) first = task;
    }
    return first;
  }
}
