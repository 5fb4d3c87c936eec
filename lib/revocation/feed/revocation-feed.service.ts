import { Injectable, Logger } from '@nestjs/common';
import { randomInt } from 'node:crypto';
import { AuthWiringError } from '../../errors/auth-wiring.error.js';
import { AuthMeter } from '../../events/auth-meter.service.js';
import { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import { AuthClock, type CancelSchedule } from '../../platform/auth-clock.js';
import { messageOf } from '../../platform/log-text.js';
import { RevocationIndex } from '../index/revocation-index.js';
import { ClockCheck } from '../log/clock-check.service.js';
import { LogConnection } from '../log/log-connection.service.js';
import { AnotherLog } from '../log/log-history.js';
import { RevocationLog } from '../log/revocation-log.service.js';
import { LEASE_SHARE, ProofClock } from '../staleness/proof-clock.js';
import { LogFollower } from './log-follower.js';

/**
 * Follows the log. It polls about every `maxStaleness` / 4, with one poll in flight at a time (F1),
 * and resolves the requests that wait for a proof (F6). {@link LogFollower} checks each answer.
 * Each accepted answer is a proof of freshness, dated to the moment before its poll was sent (F4).
 *
 * Specified in docs/protocol.md, "Following".
 */
@Injectable()
export class RevocationFeed {
  /** Resolves with the first proof. In a process that only writes it never resolves. */
  readonly firstProof: Promise<void>;

  /** Whether the first complete load is done and was proven current (P4, F7). */
  ready = false;
  /** Whether there will be no further proof, because this process only writes or shuts down. */
  isStopped: boolean;

  private readonly failures = new PollFailures();
  private readonly waiters: ProofWaiters;
  private readonly booted: Promise<void>;
  private endBoot = (): void => undefined;
  private prove = (): void => undefined;
  private running: Promise<void> | undefined;
  /** Whether another poll starts as soon as the one in flight ends. */
  private again = false;
  private cancelNext: CancelSchedule | undefined;

  constructor(
    private readonly connection: LogConnection,
    private readonly log: RevocationLog,
    private readonly follower: LogFollower,
    private readonly index: RevocationIndex,
    private readonly proofs: ProofClock,
    private readonly clock: AuthClock,
    private readonly clocks: ClockCheck,
    private readonly meter: AuthMeter,
    private readonly options: ResolvedAuthOptions,
  ) {
    this.firstProof = new Promise((resolve) => (this.prove = resolve));
    this.booted = new Promise((resolve) => (this.endBoot = resolve));
    this.waiters = new ProofWaiters(clock);
    this.isStopped = !options.follow;
  }

  /**
   * Whether the last poll failed. Then a backoff decides when the next one is sent, and requests do
   * not wait for it: a dead database is answered quickly.
   */
  get failing(): boolean {
    return this.failures.count > 0;
  }

  /** Why the last poll failed, for the boot and for health checks; `undefined` after a success. */
  get failure(): unknown {
    return this.failures.last;
  }

  /** Polls now, or at once after the poll in flight. */
  request(): void {
    if (this.running === undefined) this.run();
    else this.again = true;
  }

  /**
   * Waits for a proof that is at most `staleness` ms old now (F6). It joins the poll in flight if
   * that was sent late enough, otherwise the next one. Resolves `false` if that poll fails or takes
   * longer than `timeout` ms.
   */
  proofWithin(staleness: number, timeout: number): Promise<boolean> {
    if (this.failing || this.isStopped) return Promise.resolve(false);
    const proven = this.waiters.wait(this.clock.monotonic() - staleness * LEASE_SHARE, timeout);
    this.run();
    return proven;
  }

  /**
   * Waits for a proof dated after this call. It never joins a poll that was sent before, because
   * such a poll may miss a logout that was committed since (F6).
   */
  strictProof(timeout = this.pollTimeout): Promise<boolean> {
    if (this.isStopped) return Promise.resolve(false);
    const proven = this.waiters.wait(this.clock.monotonic(), timeout);
    this.request();
    return proven;
  }

  /**
   * Starts to follow the log and retries until it succeeds. Resolves when the first load was proven
   * current, after an error that no retry can fix, or when the feed is stopped.
   */
  start(): Promise<void> {
    this.run();
    return this.booted;
  }

  /** Starts no further poll, and resolves when none is in flight. */
  async stop(): Promise<void> {
    this.endBoot();
    this.isStopped = true;
    this.cancelNext?.();
    this.waiters.settle(Infinity, false);
    await this.running;
  }

  /** Polls now unless a poll is in flight, and schedules the next one. */
  private run(): void {
    this.running ??= this.pollWhileAsked().finally(() => {
      this.running = undefined;
      if (this.isStopped) return;
      if (this.again) return this.run();
      // Four polls per lease, so that one lost poll does not make this instance stale.
      const pause = this.failures.pause(this.options.maxStaleness / 4);
      this.cancelNext = this.clock.schedule(pause, () => this.run());
    });
  }

  private async pollWhileAsked(): Promise<void> {
    this.cancelNext?.();
    do {
      this.again = false;
      if (this.isStopped) return;
      await this.pollOnce();
    } while (this.again && !this.failing);
    if (!this.failing) return;
    // `again` is reset first: a request that is refused here and retries must be able to start a
    // poll.
    this.again = false;
    this.waiters.settle(Infinity, false);
  }

  private async pollOnce(): Promise<void> {
    try {
      const sent = await this.poll();
      this.failures.end();
      this.waiters.settle(sent, true);
      if (this.waiters.wantsLaterThan(sent)) this.again = true;
      this.endBoot();
    } catch (error) {
      this.failures.add(error);
      this.meter.polls.failed++;
      if (error instanceof AuthWiringError) this.endBoot();
    }
  }

  /** Polls until there is a proof. Resolves with the monotonic time at which its poll was sent. */
  private async poll(): Promise<number> {
    const started = this.clock.monotonic();
    const log = await this.connection.open();
    const { answer, sent } = await this.follower.catchUp(log, this.pollTimeout);
    const { now } = answer.head;
    this.ready = true;
    // `catchUp()` has added every event up to the head to the index, so this instance may accept
    // from now on.
    this.proofs.prove(sent, now);
    this.prove();
    this.clocks.compare(now);
    const forgettable = this.clocks.forgettingTime(now);
    if (forgettable !== undefined) this.index.sweep(forgettable);
    this.log.afterAnswer(answer, sent);
    this.meter.observePoll(this.clock.monotonic() - started);
    return sent.monotonic;
  }

  /**
   * The limit of one poll (ms): less than the lease, so that a hung connection is replaced before
   * this instance becomes stale.
   */
  private get pollTimeout(): number {
    return Math.min(2_000, this.options.maxStaleness / 2);
  }
}

interface Waiter {
  readonly after: number;
  readonly settle: (proven: boolean) => void;
}

/** Requests that wait for a proof. Each needs one that is dated at or after its own moment. */
class ProofWaiters {
  private readonly waiters = new Set<Waiter>();

  constructor(private readonly clock: AuthClock) {}

  /**
   * Resolves `true` once a poll that was sent at or after `after` (monotonic ms) gave a proof.
   * Resolves `false` if such a poll failed, or after `timeout` ms.
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

  /** Resolves the requests for which a poll sent at this time was late enough. */
  settle(sent: number, proven: boolean): void {
    for (const waiter of this.waiters) if (waiter.after <= sent) waiter.settle(proven);
  }

  /** Whether a request waits for a proof that is later than `sent`. */
  wantsLaterThan(sent: number): boolean {
    for (const { after } of this.waiters) if (after > sent) return true;
    return false;
  }
}

/** The shortest pause after a failed poll (ms). */
const SHORTEST = 50;

/** Counts polls that failed in a row, logs them, and computes when the next one is due. */
export class PollFailures {
  private readonly logger = new Logger('RevocationFeed');
  /** 0 while polls succeed. */
  count = 0;
  /** The error of the last poll; `undefined` while polls succeed. */
  last: unknown;

  add(error: unknown): void {
    this.last = error;
    this.count++;
    // The first failure is logged, and then every tenth, so that an outage does not fill the log
    // file.
    if (this.count % 10 !== 1) return;
    const level = error instanceof AnotherLog ? 'error' : 'warn';
    this.logger[level](
      `The revocation log could not be read (attempt ${this.count}): ${messageOf(error)}`,
    );
  }

  end(): void {
    if (this.count > 0) this.logger.log('The revocation log is followed again.');
    this.count = 0;
    this.last = undefined;
  }

  /**
   * Milliseconds until the next poll is due. After a failure it is a random time up to a limit that
   * doubles, so that the instances do not all return to the database at the same moment.
   */
  pause(interval: number): number {
    if (this.count === 0) return interval * (0.8 + Math.random() * 0.2);
    const limit = Math.min(interval, SHORTEST * 2 ** Math.min(this.count, 10));
    return limit <= SHORTEST ? limit : randomInt(SHORTEST, Math.floor(limit) + 1);
  }
}
