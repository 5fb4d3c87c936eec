import {
  type LogEvent,
  newEventId,
  type RevocationEvent,
} from '../../database/entities/revocation-event.entity.js';
import type { EventDraft } from './event-draft.js';
import {
  eventOf,
  type Head,
  headOf,
  type LogStatements,
  pendingOf,
} from '../../database/log.statements.js';
import type { Transaction } from '../../database/statement.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import { AccountTransactions } from './account.transactions.js';
import type { InstancePresence, RegisteredBounds } from './instance-presence.js';
import type { LogHistory } from './log-history.js';
import { RepeatedEnds } from './repeated-ends.js';
import { keepUntil, RETENTION_MARGIN } from './retention.js';

/** No row younger than this is purged, nor one whose successor is (X1). */
export const PURGE_AGE = 600_000;

/** A server may read its clock up to so long before it has the lock on the head (ms). */
const LOCK_WAIT = 2_000;

/** Pending events that are numbered in one transaction. */
export const PENDING_PAGE = 500;

/** The result of an append: the head it was written under, and the events that are in the log now. */
export interface Appended {
  readonly head: Head;
  readonly events: readonly LogEvent[];
}

/** The same with the event of each draft. */
export interface AppendedDrafts extends Appended {
  /**
   * By the id of the draft. Of a token or session that had ended before, the event that ended it; none
   * where that one was purged, because every token that it ended has expired.
   */
  readonly eventOf: ReadonlyMap<string, LogEvent>;
}

/** The result of {@link RevocationLog.append}. */
export interface Written extends Appended {
  /** Whether all of it had been revoked before: nothing was written, and `events` are the earlier ones. */
  readonly isRepetition: boolean;
}

/** The transactions that number events: position order is commit order, without gaps (W1). */
export class LogTransactions {
  private readonly accounts: AccountTransactions;
  private readonly ended: RepeatedEnds;

  constructor(
    private readonly statements: LogStatements,
    private readonly clock: AuthClock,
    private readonly history: LogHistory,
  ) {
    this.accounts = new AccountTransactions(statements.dialect);
    this.ended = new RepeatedEnds(statements, this.accounts.statements);
  }

  /**
   * Appends events under the head lock, which is taken last (W1).
   *
   * @param lookUp - Whether an earlier attempt may have committed some of them. A first attempt does not
   * look: ids are random.
   * @throws HistoryLost when the log has to jump first.
   */
  *append(drafts: readonly EventDraft[], lookUp: boolean): Transaction<AppendedDrafts> {
    const { seen } = this.history;
    const locked = yield* this.accounts.lock(drafts);
    const shown = yield* this.ended.look(drafts, yield* this.accounts.endSessions(drafts));
    const head = yield* this.lockHead();
    this.history.assertKept(head, seen);
    const known = new Map<string, LogEvent>();
    if (lookUp) {
      const found = yield this.statements.findEvents(drafts.map(({ id }) => id));
      for (const event of found.rows.map(eventOf)) known.set(event.id, event);
      for (const draft of drafts) draft.provenAbsent = !known.has(draft.id);
    }
    const missing = drafts.filter(
      ({ id, belowFormat = Infinity }) => !known.has(id) && head.format < belowFormat,
    );
    const repetitions = this.ended.judge(
      head,
      Math.min(head.now, this.clock.wall()),
      missing,
      shown,
    );
    const added = yield* this.number(
      head,
      missing.filter((draft) => !repetitions.has(draft)),
    );
    for (const event of added) known.set(event.id, event);
    for (const [{ id }, end] of repetitions) {
      const event = end === undefined || 'position' in end ? end : known.get(end.id);
      if (event !== undefined) known.set(id, event);
    }
    yield* this.accounts.mark(locked, drafts, known, head.now);
    return { head, events: [...new Set(known.values())], eventOf: known };
  }

  /**
   * Numbers what was written in callers' transactions and has been committed (C4).
   *
   * @param listed - The ids of a plain read before; rows that came later wait for the next round.
   * @throws HistoryLost when the log has to jump first.
   */
  *movePending(listed: ReadonlySet<string>): Transaction<Appended> {
    const { seen } = this.history;
    const { rows } = yield this.statements.listPending(PENDING_PAGE);
    const drafts = rows
      .map(pendingOf)
      .filter(({ id }) => listed.has(id))
      .map((row) => ({ ...row, killsBelow: null, attemptedAt: null, provenAbsent: false }));
    const locked = yield* this.accounts.lock(drafts);
    yield* this.accounts.endSessions(drafts);
    const head = yield* this.lockHead();
    this.history.assertKept(head, seen);
    // Another mover may have been here while this one waited for the locks.
    const { rows: still } = yield this.statements.listPending(PENDING_PAGE);
    const waiting = new Set(still.map((row) => row['event_id']));
    const pending = drafts.filter(({ id }) => waiting.has(id));
    if (pending.length === 0) return { head, events: [] };
    const ids = pending.map(({ id }) => id);
    const { rows: numbered } = yield this.statements.findEvents(ids);
    const known = new Set(numbered.map((row) => eventOf(row).id));
    const events = yield* this.number(
      head,
      pending.filter(({ id }) => !known.has(id)),
    );
    yield* this.accounts.mark(locked, pending, new Map(events.map((e) => [e.id, e])), head.now);
    yield this.statements.deletePending(ids);
    return { head, events };
  }

  /**
   * H2: after commits may have been lost, no position is assigned again. It runs before anything else is
   * numbered, and does nothing where another instance has jumped already.
   *
   * @param isWanted - Whether the log has to jump, given the locked head.
   */
  *jump(isWanted: (head: Head) => boolean): Transaction<Appended> {
    const head = yield* this.lockHead();
    if (!isWanted(head)) return { head, events: [] };
    const position = this.history.beyond(head);
    const event: RevocationEvent = {
      position,
      id: newEventId(head.now),
      kind: 'history',
      key: '0'.repeat(32),
      // The lower edge of the gap; an older release writes none here, and reads it of no event of this kind.
      killsBelow: head.position,
      except: null,
      accessOnly: false,
      issuedBefore: null,
      until: head.now + this.history.gapLife(head) + RETENTION_MARGIN,
      reason: 'unspecified',
      actor: null,
      createdAt: head.now,
    };
    for (const { statement } of this.statements.append([event])) yield statement;
    // What a lost history numbered in between is not missing.
    yield this.statements.raisePurgedThrough(position - 1);
    return { head, events: [event] };
  }

  /** Deletes by key what was chosen without a lock, and raises `purged_through` with it (X2). */
  *purge(positions: readonly number[]): Transaction<number> {
    yield* this.lockHead();
    const { affected } = yield this.statements.deleteEvents(positions);
    yield this.statements.raisePurgedThrough(Math.max(...positions));
    return affected;
  }

  /** H4: registers the bounds of an instance before it serves. */
  *register(bounds: RegisteredBounds, instance: InstancePresence): Transaction<void> {
    yield* this.lockHead();
    yield this.statements.registerBound('maxStaleness', bounds.maxStaleness, instance.label);
    yield this.statements.registerBound('maxTokenLife', bounds.maxTokenLife, instance.label);
    yield* instance.register(bounds);
  }

  private *lockHead(): Transaction<Head> {
    const { rows } = yield this.statements.lockHead();
    this.history.identify(rows[0]?.['log_id']);
    return headOf(rows[0], this.clock);
  }

  private *number(head: Head, drafts: readonly EventDraft[]): Transaction<LogEvent[]> {
    if (drafts.length === 0) return [];
    this.history.noticeTime(head.now);
    // Tokens may be signed by the latest of these times: a clock that went back must not shorten an event.
    const latest = Math.max(head.now, this.history.latestTime, this.clock.wall());
    const rows = drafts.map((draft, index) =>
      numbered(draft, head, head.position + 1 + index, latest),
    );
    for (const { statement, changes } of this.statements.append(rows)) {
      const { affected } = yield statement;
      if (affected !== changes) throw new Error('The head of the revocation log was not raised.');
    }
    return rows;
  }
}

function numbered(
  draft: EventDraft,
  head: Head,
  position: number,
  latest: number,
): RevocationEvent {
  draft.attemptedAt = position;
  const isMark = draft.kind === 'subject' || draft.kind === 'issuer';
  return {
    position,
    id: draft.id,
    kind: draft.kind,
    key: draft.key,
    killsBelow: isMark ? (draft.killsBelow ?? position) : null,
    except: draft.except,
    accessOnly: draft.accessOnly,
    issuedBefore: isMark ? head.now + Math.max(draft.skew, LOCK_WAIT) : null,
    until: keepUntil(draft, head, latest),
    reason: draft.reason,
    actor: draft.actor,
    createdAt: head.now,
  };
}
