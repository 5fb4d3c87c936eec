import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { LogStatements } from '../../database/log.statements.js';
import { AuthWiringError } from '../../errors/auth-wiring.error.js';
import type { AuthMeter } from '../../events/auth-meter.service.js';
import type { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import type { TokenIdentity } from '../../options/token-claims.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import type { EventKeys } from '../index/event-key.js';
import type { Moment, ProofClock } from '../staleness/proof-clock.js';
import { draftsOf, type EventDraft, type RevocationRequest } from './event-draft.js';
import { type LogConnection, reachLog, storageUnavailable } from './log-connection.service.js';
import type { Answer, OpenLog } from './open-log.js';
import { RETENTION_MARGIN } from './retention.js';

/** The part of the caller's query runner that shows whether its transaction is still open. */
type CallerTransaction = Pick<QueryRunner, 'isTransactionActive'>;

/** One event in a caller's transaction. */
interface CallerWrite {
  readonly draft: EventDraft;
  readonly transaction: CallerTransaction;
  readonly since: Moment;
  /**
   * Whether the INSERT succeeded or failed. Until then, the end of the transaction does not show
   * the outcome of the event.
   */
  isInserted: boolean;
  /** When this instance first saw that the transaction was over. */
  over: Moment | undefined;
}

/**
 * Events that this instance wrote in callers' transactions (`{ manager }`) and whose outcome it
 * does not know yet. Until it does, the tokens that they would revoke are decided strictly (C5), so
 * this instance refuses them from the moment of the caller's commit. An event is removed when
 *
 * - a poll shows it;
 * - its transaction is over, and a proof that was sent after that does not contain it: it was
 *   rolled back;
 * - the longest token lifetime has passed since it was written.
 *
 * A broken connection does not mean that the transaction is over: the server may still commit it,
 * and TypeORM leaves `isTransactionActive` true. On SQLite all transactions share one query runner,
 * so one transaction does not seem over while another is open. Both cases cost time, not safety.
 *
 * Specified in docs/protocol.md, "In the caller's transaction".
 */
export class CallerWrites {
  private readonly writes = new Map<string, CallerWrite>();
  /** The same events by their keys, for a quick look-up per decision. */
  private readonly byKey = new Map<string, Set<CallerWrite>>();

  /** The number of events. It is a field and not a getter, because every decision reads it. */
  size = 0;

  constructor(
    private readonly connection: LogConnection,
    private readonly keys: EventKeys,
    private readonly proofs: ProofClock,
    private readonly clock: AuthClock,
    private readonly options: ResolvedAuthOptions,
    private readonly meter: AuthMeter,
  ) {}

  /**
   * Writes a revocation in the caller's transaction. It takes effect when that transaction commits
   * (C1, C5).
   *
   * @throws AuthWiringError without an active transaction, for a transaction on another database
   * than the log's, and for a revocation that cannot be part of a transaction.
   * @throws AuthUnavailableException `storage_unavailable` when it could not be written.
   */
  async append(manager: EntityManager, request: RevocationRequest): Promise<readonly EventDraft[]> {
    const drafts = draftsOf(request, this.keys, this.options, this.clock.wall());
    assertFitForTransaction(drafts);
    try {
      await this.write(manager, drafts, await reachLog(this.connection));
    } catch (error) {
      if (error instanceof AuthWiringError) throw error;
      const failed = 'The revocation could not be written in the transaction given.';
      return this.meter.refused(storageUnavailable(failed, error));
    }
    return drafts;
  }

  private async write(
    manager: EntityManager,
    drafts: readonly EventDraft[],
    log: OpenLog,
  ): Promise<void> {
    // A process that only writes makes no decisions, so it has nothing to decide strictly.
    const since = this.options.follow ? this.proofs.moment() : undefined;
    const runner = await assertSameTransaction(manager, this.connection.application, log);
    // This must happen before the INSERT is sent: the tokens must be decided strictly before the
    // caller can commit.
    const added = since === undefined ? [] : drafts.map((draft) => this.add(draft, runner, since));
    try {
      await insertPending(manager, drafts, log);
    } finally {
      for (const write of added) write.isInserted = true;
    }
  }

  private add(draft: EventDraft, transaction: CallerTransaction, since: Moment): CallerWrite {
    const write = { draft, transaction, since, isInserted: false, over: undefined };
    this.writes.set(draft.id, write);
    this.size = this.writes.size;
    const others = this.byKey.get(draft.key);
    if (others === undefined) this.byKey.set(draft.key, new Set([write]));
    else others.add(write);
    return write;
  }

  /** Whether one of these events would revoke this token. */
  concerns(identity: TokenIdentity): boolean {
    for (const _ of this.concerning(identity)) return true;
    return false;
  }

  /**
   * Whether the transaction of an event that would revoke this token is over now. A proof from
   * before that moment does not show its outcome.
   */
  isOverFor(identity: TokenIdentity, now: Moment): boolean {
    let isOver = false;
    for (const write of this.concerning(identity)) isOver = hasEnded(write, now) || isOver;
    return isOver;
  }

  /**
   * Removes the events whose outcome an accepted answer shows.
   *
   * @param sent - When its statement was sent.
   */
  settle({ events, pending, head }: Answer, sent: Moment, now: Moment): void {
    if (this.size === 0) return;
    for (const { id } of [...events, ...pending]) this.drop(this.writes.get(id));
    for (const write of this.writes.values()) {
      const life = Math.max(head.maxTokenLife, write.draft.life ?? 0) + RETENTION_MARGIN;
      const isRolledBack = hasEnded(write, now) && (write.over as Moment).order < sent.order;
      if (isRolledBack || now.monotonic - write.since.monotonic > life) this.drop(write);
    }
  }

  private *concerning({ iss, jti, sid, sub }: TokenIdentity): Generator<CallerWrite> {
    if (this.size === 0) return;
    const session = sid === undefined ? undefined : this.keys.hex('session', iss, sid);
    const keys = [
      jti === undefined ? undefined : this.keys.hex('token', iss, jti),
      session,
      sub === undefined ? undefined : this.keys.hex('subject', iss, sub),
    ];
    for (const key of keys) {
      for (const write of this.byKey.get(key ?? '') ?? []) {
        if (write.draft.except === null || write.draft.except !== session) yield write;
      }
    }
  }

  private drop(write: CallerWrite | undefined): void {
    if (write === undefined) return;
    const { id, key } = write.draft;
    this.writes.delete(id);
    this.size = this.writes.size;
    const others = this.byKey.get(key);
    others?.delete(write);
    if (others?.size === 0) this.byKey.delete(key);
  }
}

function hasEnded(write: CallerWrite, now: Moment): boolean {
  if (write.isInserted && !write.transaction.isTransactionActive) write.over ??= now;
  return write.over !== undefined;
}

/** @throws AuthWiringError for events that cannot be part of a caller's transaction. */
function assertFitForTransaction(drafts: readonly EventDraft[]): void {
  if (drafts.some(({ account }) => account !== undefined)) {
    throw new AuthWiringError(
      'An account cannot be locked or disabled in your transaction, because a lock must take effect at once.',
      'Call accounts.lock() or disable() before it, and logoutAll(…, { manager }) in it.',
    );
  }
  // Until the caller commits, each request with an affected token waits for a poll. So an event
  // that affects all accounts is not allowed.
  const broad = drafts.find(({ kind }) => kind === 'issuer' || kind === 'key');
  if (broad === undefined) return;
  const verb = broad.kind === 'issuer' ? 'revokeEveryone' : 'revokeKey';
  throw new AuthWiringError(
    `${verb}(…, { manager }) was called: it affects the tokens of all accounts, and each request would wait for a poll until your transaction ends.`,
    'Omit { manager }: the call then commits by itself and takes effect at once.',
  );
}

/**
 * The query runner of the caller's transaction.
 *
 * @throws AuthWiringError without an active transaction, or on another database than the log's.
 */
async function assertSameTransaction(
  manager: EntityManager,
  application: DataSource | undefined,
  log: OpenLog,
): Promise<QueryRunner> {
  const { queryRunner } = manager;
  if (queryRunner?.isTransactionActive !== true) {
    throw new AuthWiringError(
      'A call with { manager } was made without an active TypeORM transaction.',
      'Pass the manager from dataSource.transaction(async (manager) => …).',
      'Without a transaction, omit { manager }: the call then commits by itself.',
    );
  }
  if (manager.connection !== application) await assertSameLog(manager, log);
  return queryRunner;
}

/**
 * Writes events in the caller's transaction (C1). It only inserts into `auth_pending` and locks no
 * row of ours, because the caller may keep the transaction open for long and would block all other
 * logouts.
 */
async function insertPending(
  manager: EntityManager,
  drafts: readonly EventDraft[],
  log: OpenLog,
): Promise<void> {
  // into() takes a dotted path without quotes. TypeORM quotes each part itself.
  const table = log.statements.dialect.table('auth_pending').replaceAll(/["`]/g, '');
  await manager
    .createQueryBuilder()
    .insert()
    .into(table)
    .values(drafts.map((draft) => LogStatements.pendingValues(draft)))
    .updateEntity(false)
    .callListeners(false)
    .execute();
}

/**
 * Checks that the transaction is on the database of the log. It is a plain SELECT of a row that is
 * never updated, so it waits for no lock.
 */
async function assertSameLog(manager: EntityManager, log: OpenLog): Promise<void> {
  const { sql } = log.statements.logId();
  const rows = (await manager.query(sql).catch(() => [])) as { log_id?: unknown }[];
  if (rows[0]?.log_id === log.id) return;
  throw new AuthWiringError(
    'A call with { manager } has a transaction on another database than the revocation log.',
    'Omit { manager }, or start the transaction on the DataSource that AuthModule uses.',
  );
}
