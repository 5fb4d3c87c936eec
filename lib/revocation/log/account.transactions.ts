import {
  accountOf,
  type AccountRow,
  AccountStatements,
  mark,
} from '../../database/account.statements.js';
import type { Dialect } from '../../database/dialect.js';
import type {
  LogEvent,
  RevocationReason,
} from '../../database/entities/revocation-event.entity.js';
import type { EventDraft } from './event-draft.js';
import type { Transaction } from '../../database/statement.js';

/** The longest life that the option `sessionTtl` allows (ms). */
const LONGEST_SESSION = 366 * 86_400_000;

/** Accounts that a transaction has locked, by key, as they were. */
export type LockedAccounts = ReadonlyMap<string, AccountRow>;

/**
 * What an event does beside its row in the log, in the same transaction: it ends the row of its
 * session, or leaves its mark on the account, so that no refresh token outlives the event (RV-09).
 */
export class AccountTransactions {
  readonly statements: AccountStatements;

  constructor(dialect: Dialect) {
    this.statements = new AccountStatements(dialect);
  }

  /** W1, the first of all locks: accounts, in the order of their keys. */
  *lock(drafts: readonly EventDraft[]): Transaction<LockedAccounts> {
    const keys = [...new Set(drafts.filter(isMark).map(({ key }) => key))].toSorted();
    const locked = new Map<string, AccountRow>();
    if (keys.length > 0) {
      yield this.statements.insertMissing(keys);
      const { rows } = yield this.statements.lock(keys);
      for (const account of rows.map(accountOf)) locked.set(account.key, account);
      // The insert holds them; were one gone all the same, its mark would be lost without a word.
      if (locked.size !== keys.length)
        throw new Error('A row of auth_subject went under its lock.');
    }
    return locked;
  }

  /**
   * W1, after the accounts and before the head: ends the rows of sessions, in the order of their keys.
   *
   * @returns the keys among which some had no row that went on: their end may be a repetition.
   */
  *endSessions(drafts: readonly EventDraft[]): Transaction<string[]> {
    const reasons = new Map<RevocationReason, Set<string>>();
    for (const { kind, key, reason } of drafts) {
      if (kind !== 'session') continue;
      const keys = reasons.get(reason) ?? new Set();
      reasons.set(reason, keys.add(key));
    }
    const doubtful: string[] = [];
    for (const [reason, keys] of reasons) {
      const { affected } = yield this.statements.endSessions([...keys], reason);
      if (affected < keys.size) doubtful.push(...keys);
    }
    return doubtful;
  }

  /** Once the events have their positions. */
  *mark(
    locked: LockedAccounts,
    drafts: readonly EventDraft[],
    events: ReadonlyMap<string, LogEvent>,
    now: number,
  ): Transaction<void> {
    const changed = new Map<string, AccountRow>();
    for (const draft of drafts.filter(isMark)) {
      const event = events.get(draft.id);
      const account = changed.get(draft.key) ?? (locked.get(draft.key) as AccountRow);
      if (event === undefined) continue;
      const { lockFor, lockUntil, disable } = draft.account ?? {};
      const until = lockUntil ?? (lockFor === undefined ? null : now + lockFor);
      changed.set(draft.key, {
        ...mark(account, event),
        // A shorter lock does not shorten a longer one: only unlock does.
        lockedUntil:
          until === null ? account.lockedUntil : Math.max(until, account.lockedUntil ?? 0),
        disabledAt: disable === true ? now : account.disabledAt,
        // No session has the issuer for its account: its mark stays as long as a session can.
        markedAt: draft.kind === 'issuer' ? now + LONGEST_SESSION : now,
      });
    }
    for (const account of changed.values()) yield this.statements.update(account);
  }
}

/** Access tokens alone are the business of the index; sessions go on. */
function isMark({ kind, accessOnly }: EventDraft): boolean {
  return (kind === 'subject' || kind === 'issuer') && !accessOnly;
}
