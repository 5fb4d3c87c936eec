import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuthUnavailableException } from '../../errors/auth.exception.js';
import { isRetryable, StorageFailure } from '../../database/log-database.js';
import { type EventDraft, eventOf, headOf } from '../../database/log-rows.js';
import { AuthWiringError } from '../../errors/auth-wiring.error.js';
import { type AuthCounts, AuthMeter } from '../../events/auth-meter.service.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../../options/resolved-auth-options.js';
import { retried } from '../../platform/async-calls.js';
import { AuthClock } from '../../platform/auth-clock.js';
import type { Answer } from '../feed/log-cursor.js';
import { RevocationFeed } from '../feed/revocation-feed.service.js';
import { EventKeys } from '../index/event-key.js';
import type { Moment } from '../staleness/proof-clock.js';
import { BatchWriter } from './batch-writer.js';
import { assertSameTransaction, CallerWrites, insertPending } from './caller-writes.js';
import { draftsOf, type RevocationRequest } from './event-draft.js';
import { CommitDoubts, ProvisionalEvents } from './in-doubt-commits.js';
import { LogConnection, reachLog, storageUnavailable } from './log-connection.service.js';
import { numbering } from './log-history.js';
import { type LogPosition, LogPositions } from './log-positions.js';
import type { Appended, AppendedDrafts } from './log.transactions.js';
import type { OpenLog } from './open-log.js';
import { PendingMover } from './pending-mover.js';

/** For how long one call tries before its caller is told that it failed (ms). */
const WRITE_PATIENCE = 5_000;

/** What {@link RevocationLog.append} did. */
export interface Written extends Appended {
  /** Whether all of it had ended before: nothing was written, and `events` are those of before. */
  readonly isRepetition: boolean;
}

/**
 * Writes the log: every logout, whatever it is called, ends in {@link append}.
 *
 * Specified in docs/protocol.md, "Writing" and "In the caller's transaction".
 */
@Injectable()
export class RevocationLog {
  private readonly writer = new BatchWriter((drafts) => this.appendOrFail(drafts, 'shared'));
  /** W5: one account that somebody else has locked must not hold up everybody's logout. */
  private readonly accountWriter = new BatchWriter((drafts) =>
    this.appendOrFail(drafts, 'account'),
  );
  private readonly mover: PendingMover;
  private readonly positions: LogPositions;
  private readonly doubts: CommitDoubts;

  constructor(
    private readonly connection: LogConnection,
    private readonly feed: RevocationFeed,
    provisional: ProvisionalEvents,
    private readonly callers: CallerWrites,
    private readonly keys: EventKeys,
    private readonly clock: AuthClock,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
    private readonly meter: AuthMeter,
  ) {
    this.mover = new PendingMover(connection, feed, clock, meter);
    this.positions = new LogPositions(connection, feed, this.mover, clock, options);
    this.doubts = new CommitDoubts(provisional, feed, clock, options, async (drafts) =>
      this.appendTo(await connection.open(), drafts),
    );
    feed.attach({
      afterAnswer: (answer, sent) => this.afterAnswer(answer, sent),
      numberPending: () => this.mover.run(),
      hasJumpedFor: (position) => this.positions.hasJumpedFor(position),
    });
  }

  /**
   * Writes events and resolves when they are committed and count on this instance. Of a token or session
   * that had ended before, nothing is written.
   *
   * @throws AuthUnavailableException `storage_unavailable` when they could not be written, or when
   * nobody knows whether they were.
   */
  async append(requests: readonly RevocationRequest[]): Promise<Written> {
    const isAccountAct = requests.some(({ kind }) => kind === 'subject' || kind === 'issuer');
    const drafts = this.draft(requests);
    try {
      const writer = isAccountAct ? this.accountWriter : this.writer;
      const { head, events, eventOf } = await writer.write(drafts.flat());
      const written = requests.filter((_, index) =>
        drafts[index]?.some(({ id }) => eventOf.get(id)?.id === id),
      );
      for (const { kind } of written) this.meter.count('revocations', kind);
      return { head, events, isRepetition: written.length === 0 };
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
    const drafts = this.draft(requests).flat();
    if (drafts.some(({ account }) => account !== undefined)) {
      throw new AuthWiringError(
        'An account cannot be locked or disabled in a transaction of yours: that has to be in force at once.',
        'Call accounts.lock() or disable() before it, and logoutAll(…, { manager }) in it.',
      );
    }
    assertConcernsFew(drafts);
    try {
      const log = await reachLog(this.connection);
      const runner = await assertSameTransaction(manager, this.connection.application, log);
      // Before it is sent: a commit cannot come between the write and the strictness.
      const inserted = this.options.follow
        ? this.callers.add(drafts, runner, this.feed.moment())
        : undefined;
      try {
        await insertPending(manager, drafts, log);
      } finally {
        inserted?.();
      }
    } catch (error) {
      if (error instanceof AuthWiringError) throw error;
      throw this.refusal(
        storageUnavailable('The revocation could not be written in the transaction given.', error),
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
      return await this.positions.read();
    } catch (error) {
      throw this.refusal(error);
    }
  }

  /** The library's one `now` (epoch ms) for expiry, never behind the database (T1). */
  now(): number {
    return this.feed.now();
  }

  /**
   * The database's time (epoch ms), to be compared with times that the database gave: a host whose clock
   * is ahead must refuse no login, and find every session.
   */
  databaseNow(): number {
    return this.positions.databaseNow();
  }

  /**
   * The widest staleness (ms) that any instance has registered, for a receipt in a caller's transaction:
   * what was heard with the last poll, or read now where there are none.
   *
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  async bound(): Promise<number> {
    if (this.options.follow) return this.feed.bound;
    const log = await reachLog(this.connection);
    try {
      // No jump: the caller's transaction is open, and on SQLite it would have to end first.
      const { rows } = await log.database.read(log.statements.position());
      return headOf(rows[0], this.clock).maxStaleness;
    } catch (error) {
      throw storageUnavailable('The revocation log could not be read.', error);
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
      throw this.refusal(storageUnavailable('A pending revocation could not be numbered.', error));
    }
  }

  /**
   * The position of an event that was written in a caller's transaction; `undefined` if it was rolled
   * back.
   *
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  async positionOf(eventId: string): Promise<number | undefined> {
    await this.settlePending();
    const log = await reachLog(this.connection);
    try {
      const { rows } = await log.database.read(log.statements.findEvent(eventId));
      return rows[0] === undefined ? undefined : (eventOf(rows[0]).position ?? undefined);
    } catch (error) {
      throw storageUnavailable('The revocation log could not be read.', error);
    }
  }

  /**
   * Settles writes whose COMMIT was not answered, so that none of them comes after what follows.
   *
   * @throws AuthUnavailableException `storage_unavailable` while that cannot be done.
   */
  async settleUnknown(): Promise<void> {
    try {
      await this.doubts.endAll();
    } catch (error) {
      throw this.refusal(error);
    }
  }

  /** Resolves when nothing is being written any more; called before the connections close. */
  async drain(): Promise<void> {
    this.doubts.planNoMore();
    await Promise.all([this.writer.drain(), this.accountWriter.drain()]);
    await Promise.all([this.mover.drain(), this.doubts.drain(), this.positions.drain()]);
  }

  /** The events of each request. */
  private draft(requests: readonly RevocationRequest[]): EventDraft[][] {
    return requests.map((request) => draftsOf(request, this.keys, this.options, this.clock.wall()));
  }

  private async appendOrFail(
    drafts: readonly EventDraft[],
    batch: AuthCounts['batches'],
  ): Promise<AppendedDrafts> {
    const log = await reachLog(this.connection);
    try {
      const appended = await this.appendTo(log, drafts);
      this.meter.count('batches', batch);
      return appended;
    } catch (error) {
      throw storageUnavailable(
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
  private async appendTo(log: OpenLog, drafts: readonly EventDraft[]): Promise<AppendedDrafts> {
    let isUnknown = drafts.some(({ killsBelow }) => killsBelow !== null);
    const once = async (): Promise<AppendedDrafts> => {
      try {
        return await numbering(log, () => log.transactions.append(drafts, isUnknown));
      } catch (error) {
        if (error instanceof StorageFailure && error.outcome === 'unknown') {
          isUnknown = true;
          for (const draft of drafts) draft.provenAbsent = false;
        } else if (isUnknown && drafts.every(({ provenAbsent }) => provenAbsent)) isUnknown = false;
        throw error;
      }
    };
    try {
      const appended = await retried(once, WRITE_PATIENCE, isRetryable);
      // In this order: no token comes back between the doubt and the certainty.
      this.feed.committed(appended);
      this.doubts.end(drafts);
      return appended;
    } catch (error) {
      if (isUnknown) this.doubts.begin(drafts);
      else this.doubts.end(drafts);
      throw error;
    }
  }

  private afterAnswer(answer: Answer, sent: Moment): void {
    this.callers.settle(answer, sent, this.feed.moment());
    this.doubts.endShown(answer);
    if (answer.pending.length > 0) void this.mover.runBehind();
  }
}

/**
 * What ends the tokens of many accounts would make all of them wait for polls until the caller commits.
 *
 * @throws AuthWiringError
 */
function assertConcernsFew(drafts: readonly EventDraft[]): void {
  const broad = drafts.find(({ kind }) => kind === 'issuer' || kind === 'key');
  if (broad === undefined) return;
  const verb = broad.kind === 'issuer' ? 'revokeEveryone' : 'revokeKey';
  throw new AuthWiringError(
    `${verb}(…, { manager }) was called: it concerns the tokens of all accounts, and each request would wait for a poll until your transaction ends.`,
    'Leave { manager } out: it then commits by itself and counts at once.',
  );
}
