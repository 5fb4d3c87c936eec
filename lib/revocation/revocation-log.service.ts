import { Inject, Injectable, Logger } from '@nestjs/common';
import { randomInt } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import type { EntityManager } from 'typeorm';
import { AuthClock } from '../context/auth-clock.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthUnavailableException } from '../errors/unavailable.exception.js';
import { type AuthCounts, AuthMeter } from '../events/auth-meter.service.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { BatchWriter } from './batch-writer.js';
import { draftOf } from './event-draft.js';
import { EventKeys } from './event-key.js';
import type { Answer } from './feed/log-cursor.js';
import { jump, MOST_JUMPS, numbering } from './history-jump.js';
import { LogConnection } from './log-connection.service.js';
import type { OpenLog } from './open-log.js';
import { HistoryLost } from './log-history.js';
import { messageOf } from './message-of.js';
import { PendingMover } from './pending-mover.js';
import { appendPending } from './pending-writer.js';
import { ProvisionalEvents } from './provisional-events.js';
import { RevocationFeed } from './revocation-feed.service.js';
import type { RevocationRequest } from './revocation-request.js';
import { SharedCall } from './shared-call.js';
import { StorageFailure } from './store/log-database.js';
import { type Head, headOf, integerOf } from './store/log-rows.js';
import type { Appended, EventDraft } from './store/log.transactions.js';

/** For how long one call tries before its caller is told that it failed (ms). */
const WRITE_PATIENCE = 5_000;

/**
 * How often a login lets the mover run without anything changing: one that was at work already may have
 * looked before the event was there, and what is left after that cannot be numbered.
 */
const IDLE_MOVES = 2;

/** Between two attempts to settle what COMMIT left unknown, where no poll calls for them (ms). */
const SETTLE_AGAIN = 1_000;

/** Between two jumps for tokens from beyond the head (ms). */
const JUMP_REST = 3_600_000;

/** Where the log stood, on the primary, at one moment; what a login is signed with. */
export interface LogPosition {
  /** The last position: the `gen` of tokens whose authority is checked after this. */
  readonly position: number;
  /** The database's time at that moment (epoch ms): the `iat` of these tokens. */
  readonly now: number;
}

/** Writes the log: every logout, whatever it is called, ends in {@link append}. */
@Injectable()
export class RevocationLog {
  private readonly logger = new Logger('RevocationLog');
  private readonly writer = new BatchWriter((drafts) => this.appendOrFail(drafts, 'shared'));
  /** W5: one account that somebody else has locked must not hold up everybody's logout. */
  private readonly accountWriter = new BatchWriter((drafts) =>
    this.appendOrFail(drafts, 'account'),
  );
  private readonly positions = new SharedCall(() => this.readPositionAndMove());
  private readonly mover: PendingMover;
  private settling: Promise<void> | undefined;
  private isDraining = false;
  private jumping: Promise<void> | undefined;
  private jumpedUntil = -Infinity;
  private jumpedTo = 0;

  constructor(
    private readonly connection: LogConnection,
    private readonly feed: RevocationFeed,
    private readonly provisional: ProvisionalEvents,
    private readonly keys: EventKeys,
    private readonly clock: AuthClock,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
    private readonly meter: AuthMeter,
  ) {
    this.mover = new PendingMover(connection, feed, clock, meter);
    feed.attach({
      afterAnswer: (answer) => this.afterAnswer(answer),
      numberPending: () => this.mover.run(),
      hasJumpedFor: (position) => this.hasJumpedFor(position),
    });
  }

  /**
   * Writes events and resolves when they are committed and count on this instance.
   *
   * @throws AuthUnavailableException `storage_unavailable` when they could not be written, or when
   * nobody knows whether they were.
   */
  async append(requests: readonly RevocationRequest[]): Promise<Appended> {
    const isAccountAct = requests.some(({ kind }) => kind === 'subject' || kind === 'issuer');
    const drafts = this.draft(requests);
    try {
      const appended = await (isAccountAct ? this.accountWriter : this.writer).write(drafts);
      for (const { kind } of requests) this.meter.count('revocations', kind);
      return appended;
    } catch (error) {
      for (const { kind } of requests) this.meter.count('revocationFailures', kind);
      throw this.refusal(error);
    }
  }

  /** The same in the caller's transaction: everything counts from the caller's commit (C1, C5). */
  async appendWith(
    manager: EntityManager,
    requests: readonly RevocationRequest[],
  ): Promise<readonly EventDraft[]> {
    const drafts = this.draft(requests);
    if (drafts.some(({ account }) => account !== undefined)) {
      throw new AuthWiringError(
        'An account cannot be locked or disabled in a transaction of yours: that has to be in force at once.',
        'Call accounts.lock() or disable() before it, and logoutAll(…, { manager }) in it.',
      );
    }
    try {
      const log = await this.open();
      await appendPending(manager, drafts, this.connection.application, log);
    } catch (error) {
      if (error instanceof AuthWiringError) throw error;
      throw this.refusal(
        unavailable('The revocation could not be written in the transaction given.', error),
      );
    }
    return drafts;
  }

  /**
   * The position and the database's time, read on the primary (G1, G2). If an event that ends
   * accounts waits to be numbered, it is numbered first.
   *
   * @throws AuthUnavailableException `storage_unavailable`: without a position nothing can be signed.
   */
  async position(): Promise<LogPosition> {
    try {
      return await this.positions.run();
    } catch (error) {
      throw this.refusal(error);
    }
  }

  /** The library's one `now` (epoch ms), never behind the database (T1). */
  now(): number {
    return this.feed.now();
  }

  /**
   * The widest staleness (ms) that any instance has registered, for a receipt in a caller's transaction:
   * what was heard with the last poll, or read now where there are none.
   *
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  async bound(): Promise<number> {
    if (this.options.follow) return this.feed.bound;
    const log = await this.open();
    try {
      // No jump: the caller's transaction is open, and on SQLite it would have to end first.
      const { rows } = await log.database.read(log.statements.position());
      return headOf(rows[0], this.clock).maxStaleness;
    } catch (error) {
      throw unavailable('The revocation log could not be read.', error);
    }
  }

  /**
   * Numbers what callers' transactions have committed, so that what comes after sees its effects.
   *
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  async settlePending(): Promise<void> {
    try {
      await this.mover.run();
    } catch (error) {
      throw this.refusal(unavailable('A pending revocation could not be numbered.', error));
    }
  }

  /**
   * Settles writes whose COMMIT was not answered, so that none of them comes after what follows.
   *
   * @throws AuthUnavailableException `storage_unavailable` while that cannot be done.
   */
  async settleUnknown(): Promise<void> {
    if (this.provisional.size === 0) return;
    this.settle();
    await this.settling;
    if (this.provisional.size === 0) return;
    throw this.refusal(unavailable('An earlier write is not settled yet. Try again.', undefined));
  }

  /** Resolves when nothing is being written any more; called before the connections close. */
  async drain(): Promise<void> {
    this.isDraining = true;
    await Promise.all([this.writer.drain(), this.accountWriter.drain()]);
    // A last time: where nothing is followed, no poll would have shown what became of it.
    if (!this.options.follow && this.provisional.size > 0) this.settle();
    await Promise.all([this.mover.drain(), this.settling, this.jumping]);
  }

  private draft(requests: readonly RevocationRequest[]): EventDraft[] {
    return requests.map((request) => draftOf(request, this.keys, this.options, this.clock.wall()));
  }

  private async open(): Promise<OpenLog> {
    try {
      return await this.connection.open();
    } catch (error) {
      throw unavailable('The revocation log cannot be reached.', error);
    }
  }

  private async appendOrFail(
    drafts: readonly EventDraft[],
    batch: AuthCounts['batches'],
  ): Promise<Appended> {
    const log = await this.open();
    try {
      const appended = await this.appendTo(log, drafts);
      this.meter.count('batches', batch);
      return appended;
    } catch (error) {
      throw unavailable(
        (error instanceof StorageFailure ? error.advice : undefined) ??
          'The revocation could not be stored; the token may still be good. Try again.',
        error,
      );
    }
  }

  /** Callers of one batch share its failure; each is told of it by an exception of its own, and counted. */
  private refusal(error: unknown): unknown {
    const own =
      error instanceof AuthUnavailableException
        ? new AuthUnavailableException('storage_unavailable', error.message, { cause: error.cause })
        : error;
    this.meter.refuse(own);
    return own;
  }

  /** Tries again with the same ids; what COMMIT left unknown is settled, or becomes provisional. */
  private async appendTo(log: OpenLog, drafts: readonly EventDraft[]): Promise<Appended> {
    const deadline = performance.now() + WRITE_PATIENCE;
    let isUnknown = drafts.some(({ killsBelow }) => killsBelow !== null);
    for (;;) {
      try {
        const appended = await numbering(log, () => log.transactions.append(drafts, isUnknown));
        // In this order: no token comes back between the doubt and the certainty.
        this.feed.committed(appended);
        this.provisional.settle(ids(drafts), this.feed.now());
        return appended;
      } catch (error) {
        const failure = error instanceof StorageFailure ? error : undefined;
        if (failure?.outcome === 'unknown') {
          isUnknown = true;
          for (const draft of drafts) draft.provenAbsent = false;
        } else if (isUnknown && drafts.every(({ provenAbsent }) => provenAbsent)) isUnknown = false;
        if (failure?.retryable !== true || performance.now() > deadline) {
          if (isUnknown) this.doubt(drafts);
          else this.provisional.settle(ids(drafts), this.feed.now());
          throw error;
        }
        await setTimeout(randomInt(5, 60));
      }
    }
  }

  private async readPositionAndMove(): Promise<LogPosition> {
    const log = await this.open();
    try {
      let read = await this.readPosition(log);
      if (read.head.maxTokenLife < this.options.maxTokenLife) {
        // H4: what is signed now must be remembered by others for as long as it lives.
        await this.feed.register();
        read = await this.readPosition(log);
      }
      for (let idle = 0; read.pendingMarks > 0 && idle < IDLE_MOVES;) {
        const before = read.pendingMarks;
        await this.mover.run();
        read = await this.readPosition(log);
        if (read.pendingMarks >= before) idle++;
      }
      return { position: read.head.position, now: read.head.now };
    } catch (error) {
      throw unavailable('The revocation log could not be read.', error);
    }
  }

  /** H2: no position of a lost history is given to a token, and none that will come again. */
  private async readPosition(log: OpenLog): Promise<{ head: Head; pendingMarks: number }> {
    for (let jumps = 0; ; jumps++) {
      const { seen } = log.history;
      const { rows } = await log.database.read(log.statements.position());
      const head = headOf(rows[0], this.clock);
      const why = log.history.whyLost(head, seen);
      if (why === undefined) {
        log.history.notice(head.position);
        return { head, pendingMarks: integerOf(rows[0]?.['pending_marks']) };
      }
      if (jumps === MOST_JUMPS) throw new HistoryLost(`The revocation log changes: ${why}.`);
      await jump(log);
    }
  }

  /** At most once an hour: another installation may share the secret, and its tokens come again. */
  private hasJumpedFor(position: number): boolean {
    // What the jump has overtaken is decided by the next answer; the one at hand may be older than it.
    if (this.clock.monotonic() < this.jumpedUntil) return position > this.jumpedTo;
    this.jumping ??= (async () => {
      try {
        const log = await this.connection.open();
        await jump(log, {
          whyUnder: (head) =>
            head.position < position ? 'a token was signed after everything in it' : undefined,
        });
        this.jumpedTo = log.history.seen;
        this.jumpedUntil = this.clock.monotonic() + JUMP_REST;
      } catch (error) {
        this.logger.warn(`The revocation log could not jump: ${messageOf(error)}`);
      } finally {
        this.jumping = undefined;
      }
    })();
    return false;
  }

  private afterAnswer(answer: Answer): void {
    if (this.provisional.size > 0) {
      this.provisional.settle(ids([...answer.events, ...answer.pending]), this.feed.now());
      if (this.provisional.size > 0) this.settle();
    }
    if (answer.pending.length > 0) void this.mover.runBehind();
  }

  private doubt(drafts: readonly EventDraft[]): void {
    this.provisional.add(drafts, this.feed.now());
    this.settleLater();
  }

  /** Without polls nobody else comes back to it. */
  private settleLater(): void {
    if (this.options.follow || this.isDraining || this.provisional.size === 0) return;
    this.clock.schedule(SETTLE_AGAIN, () => this.settle());
  }

  /** W4: a retry with the same ids, under the head lock, ends every doubt. */
  private settle(): void {
    this.settling ??= (async () => {
      try {
        await this.appendTo(await this.connection.open(), this.provisional.list());
      } catch (error) {
        this.logger.warn(`An unanswered COMMIT is not settled yet: ${messageOf(error)}`);
      } finally {
        this.settling = undefined;
        this.settleLater();
      }
    })();
  }
}

function ids(events: readonly { readonly id: string }[]): string[] {
  return events.map(({ id }) => id);
}

function unavailable(message: string, cause: unknown): AuthUnavailableException {
  return cause instanceof AuthUnavailableException
    ? cause
    : new AuthUnavailableException('storage_unavailable', message, { cause });
}
