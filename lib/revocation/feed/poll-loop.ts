import type { AuthClock, CancelSchedule } from '../../platform/auth-clock.js';

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
