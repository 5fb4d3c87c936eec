import { accountOf, AccountStatements, mark } from '../../database/account.statements.js';
import type { AuthAccount } from '../../database/entities/auth-account.entity.js';
import {
  type LogEvent,
  type RevocationEvent,
  type RevocationReason,
} from '../../database/entities/revocation-event.entity.js';
import {
  eventOf,
  type Head,
  type HeadBefore,
  headOf,
  type LogStatements,
  NOT_RAISED,
  pendingOf,
} from '../../database/log.statements.js';
import type { Transaction } from '../../database/statement.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import { type EventDraft, newEventId, numbered } from './event-draft.js';
import type { LogHistory } from './log-history.js';
import { RepeatedEnds } from './repeated-ends.js';
import { RETENTION_MARGIN } from './retention.js';

/** The longest lifetime that the option `sessionTtl` allows (ms). */
const LONGEST_SESSION = 366 * 86_400_000;

/** The accounts that a transaction has locked, by key, with their values before it. */
type LockedAccounts = ReadonlyMap<string, AuthAccount>;

/** The most pending events that one transaction numbers. */
export const PENDING_PAGE = 500;

/** The result of an append: the head before it, and the events that are in the log now. */
export interface Appended {
  readonly head: HeadBefore;
  readonly events: readonly LogEvent[];
}

/** The result of an append, with the event of each draft. */
export interface AppendedDrafts extends Appended {
  /**
   * The events by the ids of their drafts. For a token or session that was revoked before, the
   * earlier event; no entry if that one was purged, because every token that it revoked has
   * expired.
   */
  readonly eventOf: ReadonlyMap<string, LogEvent>;
}

/**
 * The transactions that assign positions to events. Because each holds the head lock until its
 * commit, the order of positions is the order of commits, without gaps (W1). The same transaction
 * ends the row of the session, or raises the cut-off of the account, so that no refresh token
 * outlives the event (RV-09).
 *
 * All of them lock in the same order, which prevents deadlocks: accounts, then sessions, then the
 * head.
 */
export class LogTransactions {
  private readonly accounts: AccountStatements;
  private readonly ended: RepeatedEnds;

  constructor(
    private readonly statements: LogStatements,
    private readonly clock: AuthClock,
    private readonly history: LogHistory,
  ) {
    this.accounts = new AccountStatements(statements.dialect);
    this.ended = new RepeatedEnds(statements, this.accounts);
  }

  /**
   * Appends events under the head lock. It is taken last, so that it is held for as short as
   * possible (W1).
   *
   * @param lookUp - Whether an earlier attempt may have committed some of them. A first attempt
   * need not look, because its ids are random.
   * @throws HistoryLost when the log has to jump first.
   */
  *append(drafts: readonly EventDraft[], lookUp: boolean): Transaction<AppendedDrafts> {
    const { seen } = this.history;
    const locked = yield* this.lockAccounts(drafts);
    const sessions = yield* this.endSessions(drafts);
    const tokens = drafts.filter(({ kind }) => kind === 'token').map(({ key }) => key);
    // The first end of a session needs no look at earlier events, nor does an act on an account or a key.
    const earlier =
      sessions.length + tokens.length > 0 ? yield* this.ended.look(sessions, tokens) : undefined;
    const head = yield* this.lockHead();
    this.history.assertKept(head, seen);
    const known = new Map<string, LogEvent>();
    if (lookUp) {
      const found = yield this.statements.findEvents(drafts.map(({ id }) => id));
      for (const event of found.rows.map(eventOf)) known.set(event.id, event);
      for (const draft of drafts) {
        draft.provenAbsent = !known.has(draft.id) && draft.mayStillCome !== true;
      }
    }
    const missing = drafts.filter(
      ({ id, belowFormat = Infinity }) => !known.has(id) && head.format < belowFormat,
    );
    const repetitions =
      earlier && this.ended.judge(head, Math.min(head.now, this.clock.wall()), missing, earlier);
    const added = yield* this.number(
      head,
      missing.filter((draft) => repetitions?.has(draft) !== true),
    );
    for (const event of added) known.set(event.id, event);
    for (const [{ id }, end] of repetitions ?? []) {
      const event = end === undefined || 'position' in end ? end : known.get(end.id);
      if (event !== undefined) known.set(id, event);
    }
    yield* this.markAccounts(locked, drafts, known, head.now);
    return { head, events: [...new Set(known.values())], eventOf: known };
  }

  /**
   * Assigns positions to events that callers' transactions have committed (C4).
   *
   * @param listed - The ids that a plain read found before. Rows that came later wait for the next
   * round.
   * @throws HistoryLost when the log has to jump first.
   */
  *movePending(listed: ReadonlySet<string>): Transaction<Appended> {
    const { seen } = this.history;
    const { rows } = yield this.statements.listPending(PENDING_PAGE);
    const drafts = rows
      .map(pendingOf)
      .filter(({ id }) => listed.has(id))
      .map((row) => ({ ...row, killsBelow: null, attemptedAt: null, provenAbsent: false }));
    const locked = yield* this.lockAccounts(drafts);
    const sessions = yield* this.endSessions(drafts);
    if (sessions.length > 0) yield* this.ended.look(sessions, []);
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
    yield* this.markAccounts(locked, pending, new Map(events.map((e) => [e.id, e])), head.now);
    yield this.statements.deletePending(ids);
    return { head, events };
  }

  /**
   * Moves the head beyond every position that a lost history may have assigned (H2). It must run
   * before anything else is numbered. It does nothing if another instance has jumped already.
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
      // The lower edge of the gap. Older releases write `null` here, and ignore it for this kind.
      killsBelow: head.position,
      except: null,
      accessOnly: false,
      issuedBefore: null,
      until: head.now + this.history.gapLife(head) + RETENTION_MARGIN,
      reason: 'unspecified',
      actor: null,
      createdAt: head.now,
    };
    yield* this.write([event]);
    // The skipped positions must not look like missing events to a feed.
    yield this.statements.raisePurgedThrough(position - 1);
    return { head, events: [event] };
  }

  /**
   * Takes the head lock, the last of all locks. Until the commit no other transaction can assign a
   * position (W1).
   */
  *lockHead(): Transaction<Head> {
    const { rows } = yield this.statements.lockHead();
    this.history.identify(rows[0]?.['log_id']);
    return headOf(rows[0], this.clock);
  }

  /** Locks the accounts, before any other row, in the order of their keys (W1). */
  private *lockAccounts(drafts: readonly EventDraft[]): Transaction<LockedAccounts> {
    const keys = [...new Set(drafts.filter(isMark).map(({ key }) => key))].toSorted();
    if (keys.length === 0) return new Map();
    yield this.accounts.insertMissing(keys);
    const { rows } = yield this.accounts.lock(keys);
    const locked = new Map(rows.map(accountOf).map((account) => [account.key, account]));
    // The insert keeps the rows locked. If one were missing nevertheless, its cut-off would be lost
    // silently.
    if (locked.size !== keys.length) throw new Error('A row of auth_subject went under its lock.');
    return locked;
  }

  /**
   * Marks the rows of sessions as ended, after the accounts and before the head are locked (W1).
   *
   * @returns the keys among which some had no open row. Their end may be a repetition.
   */
  private *endSessions(drafts: readonly EventDraft[]): Transaction<string[]> {
    const byReason = new Map<RevocationReason, string[]>();
    for (const { kind, key, reason } of drafts) {
      if (kind !== 'session') continue;
      const keys = byReason.get(reason);
      if (keys === undefined) byReason.set(reason, [key]);
      else keys.push(key);
    }
    const doubtful: string[] = [];
    for (const [reason, keys] of byReason) {
      const { affected } = yield this.accounts.endSessions([...new Set(keys)], reason);
      if (affected < keys.length) doubtful.push(...keys);
    }
    return doubtful;
  }

  /** Raises the cut-offs of the accounts, once the events have their positions. */
  private *markAccounts(
    locked: LockedAccounts,
    drafts: readonly EventDraft[],
    events: ReadonlyMap<string, LogEvent>,
    now: number,
  ): Transaction<void> {
    const changed = new Map<string, AuthAccount>();
    for (const draft of drafts.filter(isMark)) {
      const event = events.get(draft.id);
      const account = changed.get(draft.key) ?? locked.get(draft.key);
      if (event === undefined || account === undefined) continue;
      const { lockFor, lockUntil, disable } = draft.account ?? {};
      const until = lockUntil ?? (lockFor === undefined ? null : now + lockFor);
      changed.set(draft.key, {
        ...mark(account, event),
        // A new lock never shortens a longer one. Only unlock() does.
        lockedUntil:
          until === null ? account.lockedUntil : Math.max(until, account.lockedUntil ?? 0),
        disabledAt: disable === true ? now : account.disabledAt,
        // No session belongs to the row of the issuer, so this row is kept as long as a session can
        // last.
        markedAt: draft.kind === 'issuer' ? now + LONGEST_SESSION : now,
      });
    }
    for (const account of changed.values()) {
      const { affected } = yield this.accounts.update(account.key, account);
      // Without the cut-off, a session could be refreshed again once the event is purged.
      if (affected !== 1) throw new Error('A row of auth_subject was not marked.');
    }
  }

  private *number(head: Head, drafts: readonly EventDraft[]): Transaction<LogEvent[]> {
    if (drafts.length === 0) return [];
    this.history.noticeTime(head.now);
    // Tokens may have been signed at the latest of these times. A clock that was set back must not
    // shorten how long the event is kept.
    const latest = Math.max(head.now, this.history.latestTime, this.clock.wall());
    const rows = drafts.map((draft, index) =>
      numbered(draft, head, head.position + 1 + index, latest),
    );
    yield* this.write(rows);
    return rows;
  }

  /**
   * Writes rows and checks the number of changes: a trigger may suppress a row without an error,
   * and then nothing must be committed.
   */
  private *write(rows: readonly RevocationEvent[]): Transaction<void> {
    for (const { statement, changes } of this.statements.append(rows)) {
      const { affected } = yield statement;
      if (affected !== changes) throw new Error(NOT_RAISED);
    }
  }
}

/**
 * Whether the event sets a cut-off in the row of its account. Events that revoke access tokens only
 * do not, because their sessions continue.
 */
function isMark({ kind, accessOnly }: EventDraft): boolean {
  return (kind === 'subject' || kind === 'issuer') && !accessOnly;
}
