import { Inject, Injectable } from '@nestjs/common';
import { AuthClock, type CancelSchedule } from '../context/auth-clock.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthEvents } from '../events/auth-events.service.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { HintPacer } from './feed/hint-pacer.js';
import type { HintTeller } from './feed/hint-teller.js';
import type { Answer } from './feed/log-cursor.js';
import { LogFollower } from './feed/log-follower.js';
import { PollFailures } from './feed/poll-failures.js';
import { LEASE_SHARE, type Moment, ProofClock } from './feed/proof-clock.js';
import type { HintState } from './feed/revocation-hint.js';
import { WaitingRoom } from './feed/waiting-room.js';
import { LogConnection } from './log-connection.service.js';
import { RevocationIndex } from './revocation-index.js';
import { StalePolicies } from './stale-policies.service.js';
import type { Appended } from './store/log.transactions.js';

/** Who writes the log, as far as following it needs him. */
export interface LogWriter {
  /** Called after every accepted answer. */
  afterAnswer(answer: Answer): void;
  /** Numbers pending events; asked for when there are too many for one answer. */
  numberPending(): Promise<void>;
  /** Makes the log leap beyond a position that nobody should have; see {@link RevocationFeed.hasJumpedFor}. */
  hasJumpedFor(position: number): boolean;
}

/**
 * Follows the log into the index: one poll in flight, each judged before it counts, each accepted one
 * a proof of freshness dated to the moment before it was sent.
 */
@Injectable()
export class RevocationFeed {
  private readonly proofs: ProofClock;
  private readonly room: WaitingRoom;
  private readonly follower: LogFollower;
  private readonly failures = new PollFailures();
  private readonly pacer: HintPacer;
  private writer: LogWriter | undefined;
  private hints: HintTeller | undefined;
  private isProven = false;
  private knownBound = 0;
  private running: Promise<void> | undefined;
  private again = false;
  private stopped: boolean;
  private cancelNext: CancelSchedule | undefined;
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
  ) {
    // A process that only writes never starts: no poll, no waiting, no proof.
    this.stopped = !options.follow;
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
      async () => this.writer?.numberPending(),
      (lost) => events.tell({ type: 'history_lost', lost }),
    );
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

  /** Whether this instance may accept by a proof of at most `staleness` ms, decided here and now. */
  isFresh(staleness = this.options.maxStaleness): boolean {
    return this.proofs.age() <= staleness * LEASE_SHARE;
  }

  /** An instance says that it committed events up to here. While polls fail, the backoff decides. */
  hinted(position: number): void {
    if (position > this.position && !this.failing && !this.stopped) this.pacer.hint();
  }

  /** Polls at once, after the one in flight; for a hint, and for who cannot wait. */
  request(): void {
    if (this.running === undefined) void this.run();
    else this.again = true;
  }

  /**
   * F6: waits for a proof that is not older than `staleness` ms now; joins the poll in flight if that
   * was sent late enough, else the next. `false` when it fails or takes longer than `timeout`.
   */
  proofWithin(staleness: number, timeout: number): Promise<boolean> {
    if (this.failing || this.stopped) return Promise.resolve(false);
    const proven = this.room.wait(this.clock.monotonic() - staleness * LEASE_SHARE, timeout);
    if (this.running === undefined) void this.run();
    return proven;
  }

  /** Strict: a proof dated after now; never joins a poll that was sent before. */
  strictProof(timeout = this.pollTimeout): Promise<boolean> {
    if (this.stopped) return Promise.resolve(false);
    const proven = this.room.wait(this.clock.monotonic(), timeout);
    this.request();
    return proven;
  }

  /** This host's monotonic clock, by which proofs are dated. */
  monotonic(): number {
    return this.clock.monotonic();
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
    return this.stopped;
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
    if (events.length > 0) this.hints?.tell(last);
    if (!this.options.follow) return; // nothing here would ever sweep it out again
    for (const event of events) this.index.add(event);
    this.follower.expect(events, head);
  }

  /**
   * Starts to follow, and tries until it succeeds; resolves when the first load was proven current, when
   * only a person can mend what failed, or when the feed is stopped.
   */
  start(): Promise<void> {
    void this.run();
    return this.booted;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancelNext?.();
    this.pacer.stop();
    this.room.close();
    this.endBoot();
    await this.running;
  }

  /** Below the lease, so that a hung connection is noticed before it makes this instance stale. */
  private get pollTimeout(): number {
    return Math.min(2_000, this.options.maxStaleness / 2);
  }

  private run(): Promise<void> {
    this.running ??= this.rounds().finally(() => {
      this.running = undefined;
      if (this.again && !this.stopped) void this.run();
      else this.plan();
    });
    return this.running;
  }

  private async rounds(): Promise<void> {
    this.cancelNext?.();
    do {
      this.again = false;
      if (this.stopped) return;
      const begun = this.clock.monotonic();
      try {
        const { answer, sent } = await this.follower.catchUp(
          await this.connection.open(),
          this.pollTimeout,
        );
        this.accept(answer, sent);
        this.meter.observePoll(this.clock.monotonic() - begun);
        this.failures.end();
        this.room.settle(sent.monotonic, true);
        this.again ||= this.room.wantsLaterThan(sent.monotonic);
      } catch (error) {
        this.failures.add(error);
        this.meter.count('polls', 'failed');
        if (error instanceof AuthWiringError) this.endBoot();
      }
    } while (this.again && !this.failing);
    if (this.failing) {
      // Nobody waits while polls fail; the backoff, not a crowd of requests, decides when to retry.
      this.again = false;
      this.room.settle(Infinity, false);
    }
  }

  private accept(answer: Answer, sent: Moment): void {
    if (!this.isProven) this.hints?.start();
    this.isProven = true;
    this.knownBound = answer.head.maxStaleness;
    this.proofs.prove(sent, answer.head.now);
    this.index.sweep(this.proofs.database());
    this.writer?.afterAnswer(answer);
    this.endBoot();
  }

  private plan(): void {
    if (this.stopped) return;
    const delay = this.failures.pause(this.options.maxStaleness / 4);
    this.cancelNext = this.clock.schedule(delay, () => void this.run());
  }
}
