import { Inject, Injectable, Logger } from '@nestjs/common';
import { hostname } from 'node:os';
import { AuthClock, type CancelSchedule } from '../context/auth-clock.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { type Answer, answerOf, LogCursor } from './feed/log-cursor.js';
import { loadLog } from './feed/log-loader.js';
import { LEASE_SHARE, type Moment, ProofClock } from './feed/proof-clock.js';
import { WaitingRoom } from './feed/waiting-room.js';
import { LogConnection, type OpenLog } from './log-connection.service.js';
import type { LogEvent } from './revocation-event.js';
import { RevocationIndex } from './revocation-index.js';
import { RETENTION_MARGIN } from './store/log.transactions.js';

const PAGE = 2_000;

/** Told after every accepted answer. */
export type FeedListener = (answer: Answer) => void;

/**
 * Follows the log into the index: one poll in flight, each judged before it counts, each accepted one
 * a proof of freshness dated to the moment before it was sent.
 */
@Injectable()
export class RevocationFeed {
  private readonly logger = new Logger('RevocationFeed');
  private readonly proofs: ProofClock;
  private readonly room: WaitingRoom;
  private readonly listeners = new Set<FeedListener>();
  private cursor: LogCursor | undefined;
  private registered = false;
  private knownBound = 0;
  private isLoaded = false;
  private failures = 0;
  private running: Promise<void> | undefined;
  private again = false;
  private stopped = false;
  private cancelNext: CancelSchedule | undefined;
  private lastFailure: unknown;

  constructor(
    private readonly connection: LogConnection,
    private readonly index: RevocationIndex,
    private readonly clock: AuthClock,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {
    this.proofs = new ProofClock(clock);
    this.room = new WaitingRoom(clock);
  }

  /** The last position this instance has applied; 0 before the first load. */
  get position(): number {
    return this.isLoaded ? (this.cursor?.position ?? 0) : 0;
  }

  /** Milliseconds since the last proof; Infinity while there is none. */
  get staleness(): number {
    return this.proofs.age();
  }

  /** Whether the first complete load is done (P4). */
  get ready(): boolean {
    return this.isLoaded;
  }

  /** Whether the last poll failed: then nobody waits for the next one. */
  get failing(): boolean {
    return this.failures > 0;
  }

  /** What made the last poll fail, for the boot and the health of the module. */
  get failure(): unknown {
    return this.lastFailure;
  }

  /** The widest staleness of any instance as far as this one has heard (ms). */
  get bound(): number {
    return Math.max(this.knownBound, this.options.maxStaleness);
  }

  /** The library's one `now` (epoch ms), never behind the database (T1). */
  now(): number {
    return this.proofs.now();
  }

  /** Whether this instance may accept by a proof of at most `staleness` ms, decided here and now. */
  isFresh(staleness = this.options.maxStaleness): boolean {
    return this.proofs.age() <= staleness * LEASE_SHARE;
  }

  /** Polls at once (after the one in flight); for a hint, and for who cannot wait. */
  request(): void {
    if (this.running === undefined) void this.run();
    else this.again = true;
  }

  /** F6: joins the poll in flight or starts one; `false` when it fails or takes too long. */
  nextProof(timeout: number): Promise<boolean> {
    if (this.running === undefined) void this.run();
    return this.room.wait(-Infinity, timeout);
  }

  /** Strict: a proof dated after now; never joins a poll that was sent before. */
  strictProof(timeout = this.pollTimeout): Promise<boolean> {
    const proven = this.room.wait(this.clock.monotonic(), timeout);
    this.request();
    return proven;
  }

  onAnswer(listener: FeedListener): void {
    this.listeners.add(listener);
  }

  /** An event of this instance was committed: it counts here from now on (P1, F3). */
  committed(events: readonly LogEvent[]): void {
    for (const event of events) {
      this.index.add(event);
      this.cursor?.expect(event);
    }
  }

  /** Starts to follow; resolves after the first attempt, good or bad. */
  start(): Promise<void> {
    return this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancelNext?.();
    this.room.close();
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
      const started = this.clock.monotonic();
      try {
        const sent = await this.follow(await this.connection.open());
        if (this.failures > 0) this.logger.log('The revocation log is followed again.');
        this.failures = 0;
        this.lastFailure = undefined;
        this.room.settle(sent.monotonic, true);
        this.again ||= this.room.wantsLaterThan(sent.monotonic);
      } catch (error) {
        this.fail(error);
        this.room.settle(started, false);
      }
    } while (this.again && this.failures === 0);
    if (this.failures > 0) {
      // Nobody waits while polls fail; the backoff, not a crowd of requests, decides when to retry.
      this.again = false;
      this.room.settle(Infinity, false);
    }
  }

  /** One round: polls until an answer reaches the head; gives the moment that its proof is dated to. */
  private async follow(log: OpenLog): Promise<Moment> {
    if (!this.registered) await this.register(log);
    if (!this.isLoaded) await this.load(log);
    let recoveries = 0;
    for (;;) {
      const cursor: LogCursor = this.cursor as LogCursor;
      const snapshot = cursor.snapshot();
      let sent = this.proofs.moment();
      const { rows } = await log.database.poll(
        log.statements.poll(snapshot.position, PAGE),
        this.pollTimeout,
        () => (sent = this.proofs.moment()),
      );
      const answer = answerOf(rows, (reported) => this.clock.database(reported));
      const judgement = cursor.judge(answer, snapshot, PAGE);
      switch (judgement.kind) {
        case 'fork':
          this.proofs.discard();
          if (++recoveries > 1) throw new Error(`The log keeps changing: ${judgement.why}.`);
          await this.recover(log, judgement.why);
          continue;
        case 'reload':
          await this.reload(log);
          continue;
        case 'unsupported':
          this.proofs.discard();
          throw new Error(
            `A newer release of nestjs-logout writes this log (${judgement.why}); update this one.`,
          );
        case 'behind':
          this.apply(cursor, answer);
          continue;
        case 'current':
          this.apply(cursor, answer);
          if (!this.isRegisteredIn(answer)) {
            await this.register(log);
            continue;
          }
          this.knownBound = answer.head.maxStaleness;
          this.proofs.prove(sent, answer.head.now);
          this.index.sweep(this.proofs.database());
          for (const listener of this.listeners) listener(answer);
          return sent;
      }
    }
  }

  private apply(cursor: LogCursor, answer: Answer): void {
    for (const event of answer.events) this.index.add(event);
    for (const event of answer.pending) {
      // C2, C3: until it is numbered it counts as the next position, and does not expire.
      this.index.add(event, {
        killsBelow: answer.head.position + 1,
        until: answer.head.now + answer.head.maxTokenLife + RETENTION_MARGIN,
        issuedBefore: answer.head.now + this.options.clockTolerance,
      });
    }
    cursor.advance(answer);
  }

  private async load(log: OpenLog): Promise<void> {
    const loaded = await loadLog(log.database, log.statements, this.index, this.clock);
    this.cursor = new LogCursor(loaded.logId, loaded.head);
    this.isLoaded = true;
  }

  /** X3: the purge overtook us; what we know must be in what is left, else the history is another. */
  private async reload(log: OpenLog): Promise<void> {
    this.proofs.discard();
    const lost = await this.merge(log);
    if (lost > 0) this.reportFork(`${lost} known live events are missing after a reload`, lost);
  }

  /** H1: closed; reload; merged into what is known, never replaced. */
  private async recover(log: OpenLog, why: string): Promise<void> {
    this.reportFork(why, await this.merge(log));
  }

  /** @returns how many live events are known here and missing in the database. */
  private async merge(log: OpenLog): Promise<number> {
    this.index.beginReload();
    const loaded = await loadLog(log.database, log.statements, this.index, this.clock);
    this.cursor = new LogCursor(loaded.logId, loaded.head);
    return this.index.countMissing(loaded.head.now);
  }

  private reportFork(why: string, lost: number): void {
    this.logger.error(
      `The revocation log is not the one that was followed (${why}). ${lost} known live events are ` +
        'lost in the database; this instance goes on refusing their tokens. If commits may have been ' +
        'lost that no instance knew, call revokeEveryone().',
    );
  }

  private isRegisteredIn({ head }: Answer): boolean {
    return (
      head.maxStaleness >= this.options.maxStaleness &&
      head.maxTokenLife >= this.options.maxTokenLife
    );
  }

  /** H4: only proofs sent after this was committed count. */
  private async register(log: OpenLog): Promise<void> {
    const { maxStaleness, maxTokenLife } = this.options;
    const instance = `${hostname()}:${process.pid}`;
    await log.database.transaction(() =>
      log.transactions.register(maxStaleness, maxTokenLife, instance),
    );
    this.registered = true;
  }

  private fail(error: unknown): void {
    this.lastFailure = error;
    this.failures++;
    // The first failure and then each tenth: loud, but no flood while a database is away.
    if (this.failures % 10 === 1) {
      const message = error instanceof Error ? error.message : String(error);
      this.logger.warn(
        `The revocation log could not be read (attempt ${this.failures}): ${message}`,
      );
    }
  }

  private plan(): void {
    if (this.stopped) return;
    const interval = this.options.maxStaleness / 4;
    const backoff = Math.min(interval, 50 * 2 ** Math.min(this.failures, 10));
    const delay = (this.failures > 0 ? backoff : interval) * (0.8 + Math.random() * 0.2);
    this.cancelNext = this.clock.schedule(delay, () => void this.run());
  }
}
