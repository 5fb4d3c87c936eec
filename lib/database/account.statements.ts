import type { AuthClock } from '../platform/auth-clock.js';
import type { Dialect } from './dialect.js';
import { AuthAccount } from './entities/auth-account.entity.js';
import { AuthSession } from './entities/auth-session.entity.js';
import type { LogEvent, RevocationReason } from './entities/revocation-event.entity.js';
import { integerOf, reader } from './entities/table.js';
import { StatementRepository, Statements } from './statement-repository.js';
import type { Row, Statement } from './statement.js';

/**
 * The watermark of an account or an issuer: the combined effect, in one row, of all events that revoked its
 * **sessions**. A session can last longer than any event is kept, so a refresh checks this row (G6).
 *
 * It has the same three values as the index (`mark.ts`, G4): the highest position, the one session that it
 * spares, and the highest position of the events that spare another session or none.
 */
export type SubjectMarks = Pick<AuthAccount, (typeof MARK_PROPERTIES)[number]>;

export const MARK_PROPERTIES = [
  'killsBelow',
  'reason',
  'exceptKey',
  'sparedBelow',
  'sparedReason',
] as const satisfies readonly (keyof AuthAccount)[];

/** The watermark of an account that was never revoked. */
export const UNMARKED: SubjectMarks = {
  killsBelow: 0,
  reason: 'unspecified',
  exceptKey: null,
  sparedBelow: 0,
  sparedReason: 'unspecified',
};

/** An account without a row. */
function unknownAccount(key: string): AuthAccount {
  return { key, ...UNMARKED, markedAt: 0, lockedUntil: null, disabledAt: null };
}

/** One row of {@link AccountStatements.findCutOffs}. */
export const cutOffOf = reader(AuthAccount, ['killsBelow', 'reason']);

/** One row of `auth_subject`. */
export const accountOf = reader(AuthAccount);

/** The statements about accounts, and about ending sessions: what is kept longer than the events (G6). */
export class AccountStatements extends Statements {
  private readonly accounts = this.table(AuthAccount);
  private readonly sessions = this.table(AuthSession);

  private readonly insert = this.accounts.insertMissing();

  /** Locks accounts before any other row, in the order of their keys, so that no two writes deadlock (W1). */
  readonly lock = this.accounts.find(['key IN'], { orderBy: 'key', lock: true });

  /**
   * Returns a row if anything is stored about an account: a session, a watermark or a lock. Raw SQL,
   * because it reads two tables.
   */
  readonly findAccount = this.prepare<[key: string]>(
    `SELECT 1 AS one FROM ${this.accounts.table} WHERE subject_key = ?1 ` +
      `UNION ALL SELECT 1 FROM ${this.sessions.table} WHERE subject_key = ?1 LIMIT 1`,
    'hex',
  );

  /** The watermarks with these keys: of accounts, issuers, clients or grants. */
  readonly findCutOffs = this.accounts.find(['key IN'], { only: ['killsBelow', 'reason'] });

  /** Returns a row if the session has one. */
  readonly findSession = this.sessions.find(['key'], { only: ['sid'] });

  readonly update = this.accounts.update(
    ['key'],
    [...MARK_PROPERTIES, 'markedAt', 'lockedUntil', 'disabledAt'],
  );

  /** Allows an account to log in again. Its old tokens and sessions stay revoked. */
  readonly allow = {
    lockedUntil: this.accounts.update(['key'], ['lockedUntil = NULL']),
    disabledAt: this.accounts.update(['key'], ['disabledAt = NULL']),
  };

  /**
   * Ends sessions by their keys. From the commit on, their refresh tokens are refused. Raw SQL, because each
   * database has its own way to take the locks in the order of the keys.
   */
  readonly endSessions = this.prepare<[keys: readonly string[], reason: RevocationReason]>(
    this.dialect.updateInOrder(
      'auth_session',
      'session_key',
      `ended_at = ${this.dialect.now}, end_reason = ?2`,
      'session_key IN (?1) AND ended_at IS NULL',
    ),
    'hexes',
    'plain',
  );

  /** Which of these sessions have a row, and when each was ended. */
  readonly findEnded = this.sessions.find(['key IN'], { only: ['key', 'endedAt'] });

  /**
   * Finds rows that can be deleted: with an old watermark, not locked or disabled, and without a session. Raw
   * SQL, because of the subquery.
   */
  readonly findForgettable = this.prepare<[markedBefore: number, now: number, limit: number]>(
    `SELECT ${this.accounts.select('a', ['key'])} FROM ${this.accounts.table} a ` +
      `WHERE ${this.isForgettable('a', '?1', '?2')} LIMIT ?3`,
  );

  /** Deletes such rows. It checks the condition again, because an account may have been revoked since. */
  readonly forget = this.prepare<[keys: readonly string[], markedBefore: number, now: number]>(
    `DELETE FROM ${this.accounts.table} WHERE subject_key IN (?1) ` +
      `AND ${this.isForgettable(this.accounts.table, '?2', '?3')}`,
    'hexes',
    'plain',
    'plain',
  );

  /** Inserts the rows that are missing, so that {@link lock} has a row to lock (W1). */
  insertMissing(keys: readonly string[]): Statement {
    return this.insert(...keys.map(unknownAccount));
  }

  private isForgettable(account: string, markedBefore: string, now: string): string {
    return (
      `marked_at < ${markedBefore} AND disabled_at IS NULL ` +
      `AND (locked_until IS NULL OR locked_until < ${now}) AND NOT EXISTS ` +
      `(SELECT 1 FROM ${this.sessions.table} s WHERE s.subject_key = ${account}.subject_key)`
    );
  }
}

/** Adds an event to a watermark. The order of the events does not matter, and a watermark never goes down. */
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

/** Why a watermark revokes a session; `undefined` if it does not. */
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

/** What decides whether a session may continue: its account, its issuer, and the database's time. */
export interface Judgement {
  readonly account: SubjectMarks & Pick<AuthAccount, 'lockedUntil' | 'disabledAt'>;
  readonly issuer: SubjectMarks;
  readonly now: number;
}

const ACCOUNT_PROPERTIES = [...MARK_PROPERTIES, 'lockedUntil', 'disabledAt'] as const;
const [ACCOUNT, ISSUER] = ['account_', 'issuer_'];
const readAccount = reader(AuthAccount, ACCOUNT_PROPERTIES, ACCOUNT);
const readIssuer = reader(AuthAccount, MARK_PROPERTIES, ISSUER);

/**
 * The part of a SELECT that reads a {@link Judgement}: its columns, and the joins that follow the other
 * tables. The caller also selects the time as `now`. There are two joins, because no database uses the
 * index for one join to either of two keys.
 *
 * @param subject - The key of the account: a column, or a placeholder.
 * @param issuer - The key of the issuer.
 */
export function judgedBy(
  dialect: Dialect,
  subject: string,
  issuer: string,
): { readonly columns: string; readonly joins: string } {
  const accounts = new StatementRepository(dialect, AuthAccount);
  return {
    columns:
      `${accounts.select('a', ACCOUNT_PROPERTIES, ACCOUNT)}, ` +
      accounts.select('i', MARK_PROPERTIES, ISSUER),
    joins:
      ` LEFT JOIN ${accounts.table} a ON a.subject_key = ${subject}` +
      ` LEFT JOIN ${accounts.table} i ON i.subject_key = ${issuer}`,
  };
}

/** Reads a judgement from a row. An account or issuer without a row has no watermark and no lock. */
export function judgementOf(row: Row | undefined, clock: Pick<AuthClock, 'database'>): Judgement {
  if (row === undefined) throw new Error('The database gave no row for its own time.');
  const isKnown = (prefix: string): boolean => row[`${prefix}kills_below`] !== null;
  return {
    account: isKnown(ACCOUNT) ? readAccount(row) : unknownAccount(''),
    issuer: isKnown(ISSUER) ? readIssuer(row) : UNMARKED,
    now: clock.database(integerOf(row['now'])),
  };
}
