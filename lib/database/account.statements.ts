import type { Dialect } from './dialect.js';
import { AuthAccount } from './entities/auth-account.entity.js';
import { AuthSession } from './entities/auth-session.entity.js';
import type { LogEvent, RevocationReason } from './entities/revocation-event.entity.js';
import { bytesOf, placeholders, reader } from './entities/table.js';
import { oneOf, present, StatementRepository } from './statement-repository.js';
import type { Statement } from './statement.js';

const FORGETTABLE =
  'marked_at < ? AND disabled_at IS NULL AND (locked_until IS NULL OR locked_until < ?)';

/** What is stored of an account: its marks, and whether it may log in. */
export type AccountRow = AuthAccount;

/**
 * What the events of an account (or of an issuer) that end **sessions** add up to, in one row: a
 * session can live for longer than any event is kept (protocol G6).
 *
 * The same three values as in the index (`mark.ts`, protocol G4): the highest limit, the one session
 * that it spares, and the highest limit of the events that spare another one or none.
 */
type SubjectMarks = Pick<
  AuthAccount,
  'killsBelow' | 'reason' | 'exceptKey' | 'sparedBelow' | 'sparedReason'
>;

/** An account that was never marked. */
const UNMARKED: SubjectMarks = {
  killsBelow: 0,
  reason: 'unspecified',
  exceptKey: null,
  sparedBelow: 0,
  sparedReason: 'unspecified',
};

/** An account of which nothing is stored. */
export function unknownAccount(key: string): AccountRow {
  return { key, ...UNMARKED, markedAt: 0, lockedUntil: null, disabledAt: null };
}

/** One row of `auth_subject`. */
export const accountOf = reader(AuthAccount);

/** The statements about accounts and about the ends of sessions: what outlives the events (G6). */
export class AccountStatements {
  private readonly accounts: StatementRepository<AuthAccount>;
  private readonly sessions: StatementRepository<AuthSession>;

  constructor(private readonly dialect: Dialect) {
    this.accounts = new StatementRepository(dialect, AuthAccount);
    this.sessions = new StatementRepository(dialect, AuthSession);
  }

  /** W1: so that there is a row to be locked. */
  insertMissing(keys: readonly string[]): Statement {
    return this.accounts.insertMissing(keys.map(unknownAccount));
  }

  /** W1: the first of all locks, in the order of their keys. */
  lock(keys: readonly string[]): Statement {
    return this.accounts.find({ key: oneOf(keys) }, { orderBy: 'key', lock: true });
  }

  /** @returns a statement for the rows of those that have one. */
  select(keys: readonly string[]): Statement {
    return this.accounts.find({ key: oneOf(keys) });
  }

  /** Whether anything is stored of an account: a row if it has a session, marks or a lock. */
  findAccount(key: string): Statement {
    const column = `${this.dialect.hex('subject_key')} AS subject_key`;
    return this.dialect.statement(
      `SELECT ${column} FROM ${this.accounts.table} WHERE subject_key = ? UNION ALL ` +
        `SELECT ${column} FROM ${this.sessions.table} WHERE subject_key = ? LIMIT 1`,
      [bytesOf(key), bytesOf(key)],
    );
  }

  /** Whether there is a row of a session. */
  findSession(key: string): Statement {
    return this.sessions.find({ key }, { only: ['sid'] });
  }

  update({ key, ...changes }: AccountRow): Statement {
    return this.accounts.update({ key }, changes);
  }

  /** Lets an account log in again; what was issued before stays revoked. */
  allow(key: string, what: 'lockedUntil' | 'disabledAt'): Statement {
    return this.accounts.update({ key }, { [what]: null });
  }

  /** Ends sessions by their keys; their refresh tokens are worth nothing from its commit on. */
  endSessions(keys: readonly string[], reason: RevocationReason): Statement {
    const { now } = this.dialect;
    return this.dialect.updateInOrder(
      'auth_session',
      'session_key',
      { sql: `ended_at = ${now}, end_reason = ?`, values: [reason] },
      {
        sql: `session_key IN (${placeholders(keys)}) AND ended_at IS NULL`,
        values: keys.map((key) => bytesOf(key)),
      },
    );
  }

  /** Which of these sessions have ended, and when. */
  findEnded(keys: readonly string[]): Statement {
    return this.sessions.find(
      { key: oneOf(keys), endedAt: present() },
      { only: ['key', 'endedAt'] },
    );
  }

  /** Those that can be forgotten: not marked for long, allowed to log in, and without a session. */
  findForgettable(markedBefore: number, now: number, limit: number): Statement {
    return this.dialect.statement(
      `SELECT ${this.dialect.hex('a.subject_key')} AS subject_key FROM ${this.accounts.table} a ` +
        `WHERE ${FORGETTABLE} AND NOT EXISTS (${this.sessionsOf('a')}) LIMIT ?`,
      [markedBefore, now, limit],
    );
  }

  /** The condition again: somebody may have marked one since it was found. */
  forget(keys: readonly string[], markedBefore: number, now: number): Statement {
    return this.dialect.statement(
      `DELETE FROM ${this.accounts.table} WHERE subject_key IN (${placeholders(keys)}) AND ${FORGETTABLE} ` +
        `AND NOT EXISTS (${this.sessionsOf(this.accounts.table)})`,
      [...keys.map((key) => bytesOf(key)), markedBefore, now],
    );
  }

  private sessionsOf(account: string): string {
    return `SELECT 1 FROM ${this.sessions.table} s WHERE s.subject_key = ${account}.subject_key`;
  }
}

/** Counts an event in, in whatever order they come; no limit ever falls. */
export function mark<T extends SubjectMarks>(
  marks: T,
  { killsBelow, except, reason }: Pick<LogEvent, 'killsBelow' | 'except' | 'reason'>,
): T {
  const limit = killsBelow ?? 0;
  const spared = { sparedBelow: marks.killsBelow, sparedReason: marks.reason };
  if (limit > marks.killsBelow) {
    const next = { ...marks, killsBelow: limit, reason };
    return except === marks.exceptKey ? next : { ...next, ...spared, exceptKey: except };
  }
  if (except !== marks.exceptKey && limit > marks.sparedBelow) {
    return { ...marks, sparedBelow: limit, sparedReason: reason };
  }
  return marks;
}

/** Why a session is dead, or `undefined` if no mark ends it. */
export function endedBy(
  marks: SubjectMarks,
  gen: number,
  sessionKey: string,
): RevocationReason | undefined {
  if (sessionKey === marks.exceptKey) {
    return gen < marks.sparedBelow ? marks.sparedReason : undefined;
  }
  return gen < marks.killsBelow ? marks.reason : undefined;
}
