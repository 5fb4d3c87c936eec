import { Logger } from '@nestjs/common';
import { randomInt } from 'node:crypto';
import type { AuthClock, CancelSchedule } from '../../platform/auth-clock.js';
import { messageOf } from '../../platform/log-text.js';
import { AnotherLog } from '../log/log-history.js';

/** What {@link PollLoop} runs. */
export interface Polling {
  /** Milliseconds between two polls. */
  readonly interval: number;
  /** One poll that ends with a proof; resolves with the monotonic time at which it was sent. */
  poll(): Promise<number>;
  /** Called after each poll, with the error of one that failed. */
  settled(error?: unknown): void;
}

/** Polls again and again, never twice at the same time (F1), and settles the requests that wait (F6). */
export class PollLoop {
  private readonly failures = new PollFailures();
  private readonly waiters: ProofWaiters;
  private running: Promise<void> | undefined;
  private again = false;
  private cancelNext: CancelSchedule | undefined;

  constructor(
    private readonly clock: AuthClock,
    private readonly polling: Polling,
    private stopped: boolean,
  ) {
    this.waiters = new ProofWaiters(clock);
  }

  /** Whether there will be no further poll. */
  get isStopped(): boolean {
    return this.stopped;
  }

  /** Whether the last poll failed. Then the backoff decides about the next one, not the requests. */
  get failing(): boolean {
    return this.failures.count > 0;
  }

  /** Why the last poll failed; `undefined` after a success. */
  get failure(): unknown {
    return this.failures.last;
  }

  /** Waits for a proof sent at or after `after` (monotonic ms); `false` if that fails or takes too long. */
  wait(after: number, timeout: number): Promise<boolean> {
    return this.waiters.wait(after, timeout);
  }

  /** Polls now unless a poll is in flight. */
  join(): void {
    if (this.running === undefined) void this.run();
  }

  /** Polls now, or at once after the poll in flight. */
  request(): void {
    if (this.running === undefined) void this.run();
    else this.again = true;
  }

  /** Starts no further poll, and resolves when none is in flight. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.cancelNext?.();
    this.waiters.settle(Infinity, false);
    await this.running;
  }

  private run(): Promise<void> {
    this.running ??= this.pollWhileAsked().finally(() => {
      this.running = undefined;
      if (this.again && !this.stopped) void this.run();
      else this.plan();
    });
    return this.running;
  }

  private async pollWhileAsked(): Promise<void> {
    this.cancelNext?.();
    do {
      this.again = false;
      if (this.stopped) return;
      await this.pollOnce();
    } while (this.again && !this.failing);
    if (!this.failing) return;
    // In this order: a request that is refused here and asks again must start a poll.
    this.again = false;
    this.waiters.settle(Infinity, false);
  }

  private async pollOnce(): Promise<void> {
    try {
      const sent = await this.polling.poll();
      this.failures.end();
      this.waiters.settle(sent, true);
      if (this.waiters.wantsLaterThan(sent)) this.again = true;
      this.polling.settled();
    } catch (error) {
      this.failures.add(error);
      this.polling.settled(error);
    }
  }

  private plan(): void {
    if (this.stopped) return;
    const pause = this.failures.pause(this.polling.interval);
    this.cancelNext = this.clock.schedule(pause, () => void this.run());
  }
}

/** The shortest pause after a failed poll (ms). */
const SHORTEST = 50;

/** How many polls failed in a row, why, and when the next one is due. */
export class PollFailures {
  private readonly logger = new Logger('RevocationFeed');
  private inARow = 0;
  private reason: unknown;

  /** 0 while polls succeed. */
  get count(): number {
    return this.inARow;
  }

  /** What made the last poll fail; `undefined` while they succeed. */
  get last(): unknown {
    return this.reason;
  }

  add(error: unknown): void {
    this.reason = error;
    this.inARow++;
    // The first failure is logged, and then each tenth.
    if (this.inARow % 10 !== 1) return;
    const level = error instanceof AnotherLog ? 'error' : 'warn';
    this.logger[level](
      `The revocation log could not be read (attempt ${this.inARow}): ${messageOf(error)}`,
    );
  }

  end(): void {
    if (this.inARow > 0) this.logger.log('The revocation log is followed again.');
    this.inARow = 0;
    this.reason = undefined;
  }

  /**
   * Milliseconds until the next poll is due. After a failure it is a random time up to a limit that
   * doubles, so that the instances do not all return to the database at one moment.
   */
  pause(interval: number): number {
    if (this.inARow === 0) return interval * (0.8 + Math.random() * 0.2);
    const limit = Math.min(interval, SHORTEST * 2 ** Math.min(this.inARow, 10));
    return limit <= SHORTEST ? limit : randomInt(SHORTEST, Math.floor(limit) + 1);
  }
}

interface Waiter {
  readonly after: number;
  readonly settle: (proven: boolean) => void;
}

/** Requests that wait for a proof, each for one dated at or after a moment of its own. */
class ProofWaiters {
  private readonly waiters = new Set<Waiter>();

  constructor(private readonly clock: AuthClock) {}

  /**
   * Resolves `true` once a proof sent at or after `after` (monotonic ms) was accepted, `false` when a
   * poll that could have given one failed, or after `timeout` ms.
   */
  wait(after: number, timeout: number): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.clock.schedule(timeout, () => waiter.settle(false));
      const waiter: Waiter = {
        after,
        settle: (proven) => {
          if (!this.waiters.delete(waiter)) return;
          cancel();
          resolve(proven);
        },
      };
      this.waiters.add(waiter);
    });
  }

  /** A poll that was sent at `sent` succeeded or failed. */
  settle(sent: number, proven: boolean): void {
    for (const waiter of this.waiters) if (waiter.after <= sent) waiter.settle(proven);
  }

  /** Whether a request waits for a proof that is later than `sent`. */
  wantsLaterThan(sent: number): boolean {
    for (const { after } of this.waiters) if (after > sent) return true;
    return false;
  }
}
