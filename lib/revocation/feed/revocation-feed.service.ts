import { Inject, Injectable } from '@nestjs/common';
import { AuthWiringError } from '../../errors/auth-wiring.error.js';
import { AuthMeter } from '../../events/auth-meter.service.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../../options/resolved-auth-options.js';
import { AuthClock } from '../../platform/auth-clock.js';
import { RevocationIndex } from '../index/revocation-index.js';
import { ClockCheck } from '../log/clock-check.service.js';
import { LogConnection } from '../log/log-connection.service.js';
import { RevocationLog } from '../log/revocation-log.service.js';
import { LEASE_SHARE, ProofClock } from '../staleness/proof-clock.js';
import { LogCursor } from './log-cursor.js';
import { type CurrentAnswer, LogFollower } from './log-follower.js';
import { PollLoop } from './poll-loop.js';

/**
 * Follows the log into the index: one poll in flight, each answer judged before it counts, each accepted
 * answer a proof of freshness that is dated to the moment before its poll was sent.
 *
 * Specified in docs/protocol.md, "Following".
 */
@Injectable()
export class RevocationFeed {
  /** Resolves with the first proof; never in a process that only writes. */
  readonly firstProof: Promise<void>;

  private readonly loop: PollLoop;
  private readonly booted: Promise<void>;
  private endBoot = (): void => undefined;
  private prove = (): void => undefined;
  private isProven = false;

  constructor(
    private readonly connection: LogConnection,
    private readonly log: RevocationLog,
    private readonly follower: LogFollower,
    private readonly cursor: LogCursor,
    private readonly index: RevocationIndex,
    private readonly proofs: ProofClock,
    private readonly clock: AuthClock,
    private readonly clocks: ClockCheck,
    private readonly meter: AuthMeter,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {
    this.firstProof = new Promise((resolve) => (this.prove = resolve));
    this.booted = new Promise((resolve) => (this.endBoot = resolve));
    const polling = {
      interval: options.maxStaleness / 4,
      poll: () => this.poll(),
      settled: (error?: unknown) => this.settled(error),
    };
    // A process that only writes never polls: it waits for no proof and has none.
    this.loop = new PollLoop(clock, polling, !options.follow);
  }

  /** The last position this instance has applied; 0 before the first load. */
  get position(): number {
    return this.cursor.position;
  }

  /** By how many positions the head is known to be further. */
  get lag(): number {
    return this.cursor.lag;
  }

  /** Milliseconds since the last proof; Infinity while there is none. */
  get staleness(): number {
    return this.proofs.age();
  }

  /** Whether the first complete load is done and was proven current (P4, F7). */
  get ready(): boolean {
    return this.isProven;
  }

  /** Whether the last poll failed: then no request waits for the next one. */
  get failing(): boolean {
    return this.loop.failing;
  }

  /** Why the last poll failed, for the boot and the health of the module. */
  get failure(): unknown {
    return this.loop.failure;
  }

  /** Whether the application shuts down: there will be no further proof. */
  get isStopped(): boolean {
    return this.loop.isStopped;
  }

  /** Whether this instance may accept now, by a proof of at most `staleness` ms (F5). */
  isFresh(staleness = this.options.maxStaleness): boolean {
    return this.proofs.isFresh(staleness);
  }

  /** Polls now, or at once after the poll in flight. */
  request(): void {
    this.loop.request();
  }

  /**
   * F6: waits for a proof that is at most `staleness` ms old now. It joins the poll in flight if that was
   * sent late enough, else the next. `false` when the poll fails or takes longer than `timeout`.
   */
  proofWithin(staleness: number, timeout: number): Promise<boolean> {
    if (this.failing || this.isStopped) return Promise.resolve(false);
    const proven = this.loop.wait(this.clock.monotonic() - staleness * LEASE_SHARE, timeout);
    this.loop.join();
    return proven;
  }

  /** Waits for a proof dated after now: it never joins a poll that was sent before (F6). */
  strictProof(timeout = this.pollTimeout): Promise<boolean> {
    if (this.isStopped) return Promise.resolve(false);
    const proven = this.loop.wait(this.clock.monotonic(), timeout);
    this.request();
    return proven;
  }

  /**
   * Starts to follow the log and retries until it succeeds. Resolves when the first load was proven
   * current, at an error that no retry can fix, or when the feed is stopped.
   */
  start(): Promise<void> {
    this.loop.join();
    return this.booted;
  }

  async stop(): Promise<void> {
    this.endBoot();
    await this.loop.stop();
  }

  /** Less than the lease, so that a hung connection is noticed before it makes this instance stale. */
  private get pollTimeout(): number {
    return Math.min(2_000, this.options.maxStaleness / 2);
  }

  private async poll(): Promise<number> {
    const begun = this.clock.monotonic();
    const log = await this.connection.open();
    const current = await this.follower.catchUp(log, this.pollTimeout);
    this.accept(current);
    this.meter.observePoll(this.clock.monotonic() - begun);
    return current.sent.monotonic;
  }

  private accept({ answer, sent }: CurrentAnswer): void {
    const { now } = answer.head;
    this.isProven = true;
    this.proofs.prove(sent, now);
    this.prove();
    this.clocks.compare(now);
    const forgettable = this.clocks.forgettingTime(now);
    if (forgettable !== undefined) this.index.sweep(forgettable);
    this.log.afterAnswer(answer, sent);
  }

  private settled(error?: unknown): void {
    if (error !== undefined) this.meter.polls.failed++;
    if (error === undefined || error instanceof AuthWiringError) this.endBoot();
  }
}
