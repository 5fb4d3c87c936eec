import { Injectable } from '@nestjs/common';
import { Subject } from 'rxjs';
import { setImmediate } from 'node:timers/promises';
import { StorageFailure, type Via } from '../../database/log-database.js';
import { eventOf } from '../../database/log.statements.js';
import { AuthMeter } from '../../events/auth-meter.service.js';
import { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import type { TokenIdentity } from '../../options/token-claims.js';
import { AuthClock } from '../../platform/auth-clock.js';
import { EventKeys } from '../index/event-key.js';
import { RevocationIndex } from '../index/revocation-index.js';
import { type Moment, ProofClock } from '../staleness/proof-clock.js';
import { StalePolicies } from '../staleness/stale-policies.service.js';
import { appendRetried } from './append.js';
import { CallerWrites } from './caller-writes.js';
import { draftsOf, type EventDraft, type RevocationRequest } from './event-draft.js';
import { InDoubtCommits } from './in-doubt-commits.js';
import { registerInstance } from './instance-presence.js';
import {
  LogConnection,
  reachLog,
  storageUnavailable,
  unavailable,
} from './log-connection.service.js';
import { isInDoubt, readHead } from './log-history.js';
import type { Appended, AppendedDrafts } from './log.transactions.js';
import type { Answer, OpenLog } from './open-log.js';
import { PendingMover } from './pending-mover.js';
import { endingsOf, type TokenEnding } from './token-endings.js';

/** How long a call retries before it fails (ms). */
const WRITE_PATIENCE = 5_000;

/** The largest number of events in one transaction. */
const MAX_BATCH = 500;

/** The result of {@link RevocationLog.append}. */
export interface Written extends Appended {
  /**
   * Whether everything was revoked before. Then nothing was written, and `events` are the earlier
   * events.
   */
  readonly isRepetition: boolean;
}

/**
 * Writes the revocation log. Concurrent logouts share a transaction.
 *
 * Specified in docs/protocol.md, "Writing" and "In the caller's transaction".
 */
@Injectable()
export class RevocationLog {
  /**
   * Emits what this process has committed, after the events are in the index of this instance (P1).
   */
  readonly commits = new Subject<Appended>();
  /** Events whose COMMIT was not answered. Requests with their tokens get 503 (W4). */
  readonly inDoubt: InDoubtCommits;
  /**
   * Events of callers' transactions whose outcome is not known. Their tokens are decided strictly
   * (C5).
   */
  readonly callers: CallerWrites;
  /** Numbers events of callers' transactions (C4). */
  readonly mover: PendingMover;

  private readonly writer = new GroupCommit((drafts) => this.appendOrFail(drafts, 'shared'));
  /**
   * Acts on accounts have a queue of their own: one locked account must not block the logouts of all users
   * (W5).
   */
  private readonly accountWriter = new GroupCommit((drafts) =>
    this.appendOrFail(drafts, 'account'),
  );
  private lastBound = 0;

  constructor(
    private readonly connection: LogConnection,
    private readonly index: RevocationIndex,
    private readonly proofs: ProofClock,
    private readonly policies: StalePolicies,
    private readonly keys: EventKeys,
    private readonly clock: AuthClock,
    private readonly options: ResolvedAuthOptions,
    private readonly meter: AuthMeter,
  ) {
    const writeAgain = async (drafts: readonly EventDraft[]): Promise<unknown> =>
      this.appendTo(await connection.open(), drafts, true);
    this.callers = new CallerWrites(connection, keys, proofs, clock, options, meter);
    this.inDoubt = new InDoubtCommits(keys, index.gaps, proofs, clock, options, writeAgain);
    this.mover = new PendingMover(connection, clock, meter, (appended) => this.committed(appended));
  }

  /**
   * Writes events, and resolves when they are committed and this instance refuses their tokens. For
   * a token or session that was revoked before, nothing is written.
   *
   * @throws AuthUnavailableException `storage_unavailable` when they could not be written, or when
   * it is not known whether they were.
   */
  async append(requests: readonly RevocationRequest[]): Promise<Written> {
    const isAccountAct = requests.some(({ kind }) => kind === 'subject' || kind === 'issuer');
    const now = this.clock.wall();
    const drafts = requests.map((each) => draftsOf(each, this.keys, this.options, now));
    const all = drafts.flat();
    try {
      const writer = isAccountAct ? this.accountWriter : this.writer;
      const { head, eventOf } = await writer.write(all);
      const events = all.map(({ id }) => eventOf.get(id)).filter((event) => event !== undefined);
      const written = requests.filter((_, index) =>
        drafts[index]?.some(({ id }) => eventOf.get(id)?.id === id),
      );
      for (const { kind } of written) this.meter.revocations[kind]++;
      return { head, events, isRepetition: written.length === 0 };
    } catch (error) {
      for (const { kind } of requests) this.meter.revocationFailures[kind]++;
      return this.meter.refusedEach(error);
    }
  }

  /** The widest staleness of any instance (ms), as of the last poll. */
  get knownBound(): number {
    return Math.max(this.lastBound, this.policies.widest);
  }

  /**
   * The widest staleness that any instance has registered (ms), for a receipt in a caller's
   * transaction: as of the last poll, or read now in a process without polls.
   *
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  async bound(): Promise<number> {
    if (this.options.follow) return this.knownBound;
    // This read must not jump: the caller's transaction is open, and on SQLite a jump would wait
    // for its end.
    const { head } = await this.read((log) => readHead(log, this.clock));
    return head.maxStaleness;
  }

  /** Registers the bounds of this instance in the head (H4). */
  async register(via?: Via): Promise<void> {
    const { maxTokenLife, issuer } = this.options;
    const bounds = { maxStaleness: this.policies.widest, maxTokenLife, issuer };
    await registerInstance(await this.connection.open(), bounds, via);
  }

  /**
   * Numbers what callers' transactions have committed, for a call that must see the effects (C4).
   *
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  settlePending(): Promise<void> {
    return this.mover
      .run()
      .catch(unavailable('A pending revocation could not be numbered.'))
      .catch(this.meter.refusedEach);
  }

  /**
   * The position of an event that was written in a caller's transaction; `undefined` if it was rolled
   * back.
   *
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  async positionOf(eventId: string): Promise<number | undefined> {
    await this.settlePending();
    const { rows } = await this.read(({ database, statements }) =>
      database.read(statements.findEvent(eventId)),
    );
    return rows[0] === undefined ? undefined : (eventOf(rows[0]).position ?? undefined);
  }

  /**
   * The events that revoke a token, read from the database.
   *
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  endingsOf(identity: TokenIdentity, kid: string): Promise<TokenEnding[]> {
    return this.read((log) => endingsOf(log, this.keys, identity, kid, this.index.gaps));
  }

  /**
   * Settles writes whose COMMIT was not answered, so that none of them takes effect after the write that
   * follows.
   *
   * @throws AuthUnavailableException `storage_unavailable` while that is not possible.
   */
  settleUnknown(): Promise<void> {
    return this.inDoubt.settleAll().catch(this.meter.refusedEach);
  }

  /** Learns from an accepted answer of the feed the outcome of this instance's writes. */
  afterAnswer(answer: Answer, sent: Moment): void {
    this.lastBound = answer.head.maxStaleness;
    this.callers.settle(answer, sent, this.proofs.moment());
    this.inDoubt.settleShown(answer);
    if (answer.pending.length > 0) void this.mover.runBehind();
  }

  /** Resolves when nothing is being written. It is called before the connections close. */
  async drain(): Promise<void> {
    this.inDoubt.stopRetrying();
    await Promise.all([this.writer.drain(), this.accountWriter.drain()]);
    await Promise.all([this.mover.drain(), this.inDoubt.drain()]);
  }

  private async appendOrFail(
    drafts: readonly EventDraft[],
    batch: keyof AuthMeter['batches'],
  ): Promise<AppendedDrafts> {
    const log = await reachLog(this.connection);
    try {
      const appended = await this.appendTo(log, drafts);
      this.meter.batches[batch]++;
      return appended;
    } catch (error) {
      throw storageUnavailable(
        (error instanceof StorageFailure ? error.advice : undefined) ??
          'The revocation could not be stored; the token may still be good. Try again.',
        error,
      );
    }
  }

  private async read<T>(read: (log: OpenLog) => Promise<T>): Promise<T> {
    const log = await reachLog(this.connection);
    return read(log).catch(unavailable('The revocation log could not be read.'));
  }

  /** Appends events. If the outcome of the COMMIT stays unknown, they are in doubt (W4). */
  private async appendTo(
    log: OpenLog,
    drafts: readonly EventDraft[],
    isRetry = false,
  ): Promise<AppendedDrafts> {
    try {
      const appended = await appendRetried(log, drafts, WRITE_PATIENCE, isRetry);
      // The index must have the event before it stops being in doubt, or a request in between would
      // be accepted.
      this.committed(appended);
      if (this.inDoubt.size > 0) this.inDoubt.settle(drafts);
      return appended;
    } catch (error) {
      if (isInDoubt(error)) this.inDoubt.add(drafts);
      else if (this.inDoubt.size > 0) this.inDoubt.settle(drafts);
      throw error;
    }
  }

  /** Adds committed events to the index, so that this instance refuses their tokens from now on (P1). */
  private committed(appended: Appended): void {
    // A process that only writes makes no decisions, and never sweeps its index, which would grow
    // without a limit.
    if (this.options.follow) for (const event of appended.events) this.index.add(event);
    this.commits.next(appended);
  }
}

/**
 * Lets concurrent logouts share a transaction (W5): what arrives during a commit is written by the
 * next one. There is no timer, so a single logout is not delayed.
 */
class GroupCommit {
  /** The transaction that more can join. */
  private next:
    { readonly drafts: EventDraft[]; readonly outcome: Promise<AppendedDrafts> } | undefined;
  private last: Promise<unknown> = Promise.resolve();

  /** @param append - Writes all of these drafts or none. */
  constructor(
    private readonly append: (drafts: readonly EventDraft[]) => Promise<AppendedDrafts>,
  ) {}

  /** Queues drafts. Resolves with the outcome of the transaction that writes them. */
  write(drafts: readonly EventDraft[]): Promise<AppendedDrafts> {
    if (this.next === undefined || this.next.drafts.length + drafts.length > MAX_BATCH) {
      const joined: EventDraft[] = [];
      this.next = { drafts: joined, outcome: this.commit(joined, this.last) };
      this.last = this.next.outcome.catch(() => undefined);
    }
    this.next.drafts.push(...drafts);
    return this.next.outcome;
  }

  /** Resolves when nothing is queued or being written. */
  async drain(): Promise<void> {
    for (let last: unknown; last !== this.last; await last) last = this.last;
  }

  private async commit(drafts: EventDraft[], before: Promise<unknown>): Promise<AppendedDrafts> {
    await before;
    // Without a turn of the event loop, no second logout could join on a synchronous driver.
    await setImmediate();
    if (this.next?.drafts === drafts) this.next = undefined;
    return this.append(drafts);
  }
}
