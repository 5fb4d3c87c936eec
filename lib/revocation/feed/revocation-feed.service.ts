import { Inject, Injectable } from '@nestjs/common';
import { AuthWiringError } from '../../errors/auth-wiring.error.js';
import { AuthEvents } from '../../events/auth-events.service.js';
import { AuthMeter } from '../../events/auth-meter.service.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../../options/resolved-auth-options.js';
import type { HintState } from '../../options/revocation-hint.js';
import { AuthClock } from '../../platform/auth-clock.js';
import { RevocationIndex } from '../index/revocation-index.js';
import { ClockCheck } from '../log/clock-check.service.js';
import { LogConnection } from '../log/log-connection.service.js';
import type { Appended } from '../log/log.transactions.js';
import { HintPacer } from '../push/hint-message.js';
import type { HintTeller } from '../push/hint-teller.js';
import { LEASE_SHARE, type Moment, ProofClock } from '../staleness/proof-clock.js';
import { StalePolicies } from '../staleness/stale-policies.service.js';
import type { Answer } from './log-cursor.js';
import { LogFollower } from './log-follower.js';
import type { LogWriter } from './log-writer.js';
import { PollFailures, PollLoop, WaitingRoom } from './poll-loop.js';

/**
 * Follows the log into the index: one poll in flight, each judged before it counts, each accepted one
 * a proof of freshness dated to the moment before it was sent.
 *
 * Specified in docs/protocol.md, "Following".
 */
@Injectable()
export class RevocationFeed {
  private readonly proofs: ProofClock;
  private readonly room: WaitingRoom;
  private readonly follower: LogFollower;
  private readonly failures = new PollFailures();
  private readonly pacer: HintPacer;
  private readonly loop: PollLoop;
  private writer: LogWriter | undefined;
  private hints: HintTeller | undefined;
  private isProven = false;
  private knownBound = 0;
  private endBoot = (): void => undefined;
  private readonly booted = new Promise<void>((resolve) => (this.endBoot = resolve));

  constructor(
    private readonly connection: LogConnection,
    private readonly index: RevocationIndex,
    private readonly clock: AuthClock,
    private readonly policies: StalePolicies,
    events: AuthEvents,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
    private readonly meter: AuthMeter,
    private readonly clocks: ClockCheck,
  ) {
    this.proofs = new ProofClock(clock);
    this.room = new WaitingRoom(clock);
    this.pacer = new HintPacer(clock, () => this.request());
    this.follower = new LogFollower(
      index,
      this.proofs,
      clock,
      options,
      meter,
      policies,
      clocks,
      async () => this.writer?.numberPending(),
      (lost) => events.tell({ type: 'history_lost', lost }),
    );
    const rounds = {
      poll: () => this.poll(),
      pause: () => this.failures.pause(options.maxStaleness / 4),
      hasFailed: () => this.failing,
      turnAway: () => this.room.settle(Infinity, false),
    };
    // A process that only writes never starts: no poll, no waiting, no proof.
    this.loop = new PollLoop(clock, rounds, !options.follow);
  }

  /** The last position this instance has applied; 0 before the first load. */
  get position(): number {
    return this.follower.position;
  }

  /** By how many positions the head is known to be further. */
  get lag(): number {
    return this.follower.lag;
  }

  /** Milliseconds since the last proof; Infinity while there is none. */
  get staleness(): number {
    return this.proofs.age();
  }

  /** Whether the first complete load is done and was proven current (P4, F7). */
  get ready(): boolean {
    return this.isProven;
  }

  /** Whether the last poll failed: then nobody waits for the next one. */
  get failing(): boolean {
    return this.failures.count > 0;
  }

  /** Whether the log contradicted what is known here, and no proof came since (H1, H5). */
  get contradicted(): boolean {
    return this.proofs.isContradicted;
  }

  /** What made the last poll fail, for the boot and the health of the module. */
  get failure(): unknown {
    return this.failures.last;
  }

  /** The widest staleness of any instance as far as this one has heard (ms). */
  get bound(): number {
    return Math.max(this.knownBound, this.policies.widest);
  }

  /** Whether hints arrive here, for the health of the module. */
  get hint(): HintState {
    return this.hints?.state ?? 'off';
  }

  /** The library's one `now` (epoch ms), never behind the database (T1). */
  now(): number {
    return this.proofs.now();
  }

  /** The database's time (epoch ms) as of the last proof; before the first one this host's. */
  databaseNow(): number {
    return this.proofs.database() || this.clock.wall();
  }

  /** Whether this instance may accept by a proof of at most `staleness` ms, decided here and now. */
  isFresh(staleness = this.options.maxStaleness): boolean {
    return this.proofs.age() <= staleness * LEASE_SHARE;
  }

  /** An instance says that it committed events up to here. While polls fail, the backoff decides. */
  hinted(position: number): void {
    if (position > this.position && !this.failing && !this.isStopped) this.pacer.hint();
  }

  /** Polls at once, after the one in flight; for a hint, and for who cannot wait. */
  request(): void {
    this.loop.request();
  }

  /**
   * F6: waits for a proof that is not older than `staleness` ms now; joins the poll in flight if that
   * was sent late enough, else the next. `false` when it fails or takes longer than `timeout`.
   */
  proofWithin(staleness: number, timeout: number): Promise<boolean> {
    if (this.failing || this.isStopped) return Promise.resolve(false);
    const proven = this.room.wait(this.clock.monotonic() - staleness * LEASE_SHARE, timeout);
    this.loop.join();
    return proven;
  }

  /** Strict: a proof dated after now; never joins a poll that was sent before. */
  strictProof(timeout = this.pollTimeout): Promise<boolean> {
    if (this.isStopped) return Promise.resolve(false);
    const proven = this.room.wait(this.clock.monotonic(), timeout);
    this.request();
    return proven;
  }

  /** This host's monotonic clock, by which proofs are dated. */
  monotonic(): number {
    return this.clock.monotonic();
  }

  /** This moment, which comes before or after the sending of each poll. */
  moment(): Moment {
    return this.proofs.moment();
  }

  /** Whether a proof was sent at or after this monotonic moment. */
  provenSince(monotonic: number): boolean {
    return this.proofs.provenSince(monotonic);
  }

  /** H4: says in the head how stale this instance may be, and how long its tokens live. */
  async register(): Promise<void> {
    await this.follower.register(await this.connection.open());
  }

  /**
   * G5: whether the log has jumped, in the last hour, because of tokens from beyond its head. If not it
   * begins to: `false` now, and a later request finds the token decided.
   */
  hasJumpedFor(position: number): boolean {
    return this.writer?.hasJumpedFor(position) ?? false;
  }

  /** Whether the application shuts down: there will be no further proof. */
  get isStopped(): boolean {
    return this.loop.isStopped;
  }

  /** The log, which needs the feed to be made, makes itself known. */
  attach(writer: LogWriter): void {
    this.writer = writer;
  }

  /** Who carries hints makes himself known too; without one, polls alone carry the log. */
  attachHints(hints: HintTeller): void {
    this.hints = hints;
  }

  /** An event of this instance was committed: it counts here from now on (P1, F3). */
  committed({ events, head }: Appended): void {
    const last = Math.max(...events.map(({ position }) => position ?? 0));
    // A repeated end wrote nothing.
    if (last > head.position) this.hints?.tell(last);
    if (!this.options.follow) return; // nothing here would ever sweep it out again
    for (const event of events) this.index.add(event);
    this.follower.expect(events, head);
  }

  /**
   * Starts to follow, and tries until it succeeds; resolves when the first load was proven current, when
   * only a person can mend what failed, or when the feed is stopped.
   */
  start(): Promise<void> {
    this.loop.join();
    return this.booted;
  }

  async stop(): Promise<void> {
    this.loop.stop();
    this.pacer.stop();
    this.room.close();
    this.endBoot();
    await this.loop.ended();
  }

  /** Below the lease, so that a hung connection is noticed before it makes this instance stale. */
  private get pollTimeout(): number {
    return Math.min(2_000, this.options.maxStaleness / 2);
  }

  /** Whether somebody waits for a poll that is sent after this one. */
  private async poll(): Promise<boolean> {
    const begun = this.clock.monotonic();
    try {
      const log = await this.connection.open();
      const { answer, sent } = await this.follower.catchUp(log, this.pollTimeout);
      this.accept(answer, sent);
      this.meter.observePoll(this.clock.monotonic() - begun);
      this.failures.end();
      this.room.settle(sent.monotonic, true);
      return this.room.wantsLaterThan(sent.monotonic);
    } catch (error) {
      this.failures.add(error);
      this.meter.count('polls', 'failed');
      if (error instanceof AuthWiringError) this.endBoot();
      return false;
    }
  }

  private accept(answer: Answer, sent: Moment): void {
    if (!this.isProven) this.hints?.start();
    this.isProven = true;
    this.knownBound = answer.head.maxStaleness;
    this.proofs.prove(sent, answer.head.now);
    this.clocks.compare(answer.head.now);
    const forgettable = this.clocks.forgettingTime(answer.head.now);
    if (forgettable !== undefined) this.index.sweep(forgettable);
    this.writer?.afterAnswer(answer, sent);
    this.endBoot();
  }
}
