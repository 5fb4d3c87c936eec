import { Logger } from '@nestjs/common';
import { randomInt } from 'node:crypto';
import type { AuthClock, CancelSchedule } from '../../platform/auth-clock.js';
import { messageOf } from '../../platform/log-text.js';
import { AnotherLog } from '../log/log-history.js';

/** What a loop goes by; the rounds themselves know why. */
export interface PollRounds {
  /** One poll; whether another one has to follow at once. It never rejects. */
  poll(): Promise<boolean>;
  /** Milliseconds until the next poll is due. */
  pause(): number;
  /** Whether the last poll failed: then the pause, not a crowd of requests, decides when to try again. */
  hasFailed(): boolean;
  /** Polls fail: nobody waits for the next one. */
  turnAway(): void;
}

/** Polls again and again, and never twice at the same time (F1). */
export class PollLoop {
  private running: Promise<void> | undefined;
  private again = false;
  private cancelNext: CancelSchedule | undefined;

  constructor(
    private readonly clock: AuthClock,
    private readonly rounds: PollRounds,
    private stopped: boolean,
  ) {}

  /** Whether there will be no further poll. */
  get isStopped(): boolean {
    return this.stopped;
  }

  /** Polls now unless a poll is in flight. */
  join(): void {
    if (this.running === undefined) void this.run();
  }

  /** Polls at once, after the one in flight. */
  request(): void {
    if (this.running === undefined) void this.run();
    else this.again = true;
  }

  /** Ends the loop now; {@link ended} waits for the poll in flight. */
  stop(): void {
    this.stopped = true;
    this.cancelNext?.();
  }

  /** Resolves when no poll is in flight. */
  async ended(): Promise<void> {
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
      if (await this.rounds.poll()) this.again = true;
    } while (this.again && !this.rounds.hasFailed());
    if (!this.rounds.hasFailed()) return;
    // In this order: who is turned away and asks again, asks for a poll of his own.
    this.again = false;
    this.rounds.turnAway();
  }

  private plan(): void {
    if (this.stopped) return;
    this.cancelNext = this.clock.schedule(this.rounds.pause(), () => void this.run());
  }
}

/** The shortest pause after a failed poll (ms). */
const SHORTEST = 50;

/** How many polls have failed in a row, why, and when the next one is due. */
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
    // The first failure and then each tenth: loud, but no flood while a database is away.
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
   * Milliseconds until the next poll is due. After a failure anything up to a limit that doubles: a
   * database that comes back must not meet all instances at one moment.
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

/** Requests that wait for a proof, each for one dated after its own moment. */
export class WaitingRoom {
  private waiters = new Set<Waiter>();

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

  /** A poll that was sent at `sent` was accepted, or failed. */
  settle(sent: number, proven: boolean): void {
    for (const waiter of this.waiters) if (waiter.after <= sent) waiter.settle(proven);
  }

  /** The feed stops: nobody will be proven right any more. */
  close(): void {
    for (const waiter of this.waiters) waiter.settle(false);
  }

  /** Whether somebody waits for a proof that no poll sent at `sent` can give. */
  wantsLaterThan(sent: number): boolean {
    for (const { after } of this.waiters) if (after > sent) return true;
    return false;
  }
}
