import type { RevocationReason } from './revocation-event.js';
import { REVOCATION_REASONS } from './revocation-event.js';
import { bytesOf, placeholders, selectList } from './columns.js';
import type { ColumnType, Dialect } from './dialect.js';
import { integerOf } from './log-rows.js';
import type { Row, Statement } from './statement.js';
import { type SubjectMarks, UNMARKED } from './subject-marks.js';

const SUBJECT_COLUMNS: readonly ColumnType[] = [
  ['subject_key', 'bytes'],
  ['kills_below', 'bigint'],
  ['reason', 'text'],
  ['except_key', 'bytes'],
  ['spared_below', 'bigint'],
  ['spared_reason', 'text'],
  ['marked_at', 'bigint'],
  ['locked_until', 'bigint'],
  ['disabled_at', 'bigint'],
];

const FORGETTABLE =
  'marked_at < ? AND disabled_at IS NULL AND (locked_until IS NULL OR locked_until < ?)';

/** What is stored of an account: its marks, and whether it may log in. */
export interface AccountRow {
  readonly key: string;
  readonly marks: SubjectMarks;
  /** Since when the purge may ask whether the row is needed. */
  readonly markedAt: number;
  /** Epoch ms by the database's clock. */
  readonly lockedUntil: number | null;
  readonly disabledAt: number | null;
}

/** An account of which nothing is stored. */
export function unknownAccount(key: string): AccountRow {
  return { key, marks: UNMARKED, markedAt: 0, lockedUntil: null, disabledAt: null };
}

/** One row of `auth_subject`, as far as an account has one. */
export function accountOf(row: Row): AccountRow {
  const optional = (name: string): number | null =>
    row[name] === null || row[name] === undefined ? null : integerOf(row[name]);
  return {
    key: row['subject_key'] ?? '',
    marks: {
      killsBelow: integerOf(row['kills_below']),
      reason: reasonOf(row['reason']),
      exceptKey: row['except_key'] ?? null,
      sparedBelow: integerOf(row['spared_below']),
      sparedReason: reasonOf(row['spared_reason']),
    },
    markedAt: integerOf(row['marked_at']),
    lockedUntil: optional('locked_until'),
    disabledAt: optional('disabled_at'),
  };
}

/** A reason that a newer release added is told to nobody. */
export function reasonOf(text: string | null | undefined): RevocationReason {
  return REVOCATION_REASONS.find((reason) => reason === text) ?? 'unspecified';
}

/** The statements about accounts and about the ends of sessions: what outlives the events (G6). */
export class AccountStatements {
  private readonly subject: string;

  constructor(private readonly dialect: Dialect) {
    this.subject = dialect.table('auth_subject');
  }

  /** W1: so that there is a row to be locked. */
  insertMissing(keys: readonly string[]): Statement {
    return this.dialect.insertMissing(
      'auth_subject',
      SUBJECT_COLUMNS,
      keys.map((key) => [bytesOf(key), 0, 'unspecified', null, 0, 'unspecified', 0, null, null]),
    );
  }

  /** W1: the first of all locks, in the order of their keys. */
  lock(keys: readonly string[]): Statement {
    const { sql, values } = this.select(keys);
    return { sql: `${sql} ORDER BY a.subject_key${this.dialect.forUpdate}`, values };
  }

  /** @returns a statement for the rows of those that have one. */
  select(keys: readonly string[]): Statement {
    return this.dialect.statement(
      `SELECT ${selectList(this.dialect, SUBJECT_COLUMNS, 'a')} FROM ${this.subject} a ` +
        `WHERE a.subject_key IN (${placeholders(keys)})`,
      keys.map((key) => bytesOf(key)),
    );
  }

  /** Whether anything is stored of an account: a row if it has a session, marks or a lock. */
  findAccount(key: string): Statement {
    const column = `${this.dialect.hex('subject_key')} AS subject_key`;
    const session = this.dialect.table('auth_session');
    return this.dialect.statement(
      `SELECT ${column} FROM ${this.subject} WHERE subject_key = ? UNION ALL ` +
        `SELECT ${column} FROM ${session} WHERE subject_key = ? LIMIT 1`,
      [bytesOf(key), bytesOf(key)],
    );
  }

  /** Whether there is a row of a session. */
  findSession(key: string): Statement {
    return this.dialect.statement(
      `SELECT sid FROM ${this.dialect.table('auth_session')} WHERE session_key = ?`,
      [bytesOf(key)],
    );
  }

  update({ key, marks, markedAt, lockedUntil, disabledAt }: AccountRow): Statement {
    return this.dialect.statement(
      `UPDATE ${this.subject} SET kills_below = ?, reason = ?, except_key = ?, spared_below = ?, ` +
        `spared_reason = ?, marked_at = ?, locked_until = ?, disabled_at = ? WHERE subject_key = ?`,
      [
        marks.killsBelow,
        marks.reason,
        bytesOf(marks.exceptKey),
        marks.sparedBelow,
        marks.sparedReason,
        markedAt,
        lockedUntil,
        disabledAt,
        bytesOf(key),
      ],
    );
  }

  /** Lets an account log in again; what was issued before stays dead. */
  allow(key: string, what: 'locked_until' | 'disabled_at'): Statement {
    return this.dialect.statement(
      `UPDATE ${this.subject} SET ${what} = NULL WHERE subject_key = ?`,
      [bytesOf(key)],
    );
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
    const { hex, text } = this.dialect;
    return this.dialect.statement(
      `SELECT ${hex('session_key')} AS session_key, ${text('ended_at')} AS ended_at ` +
        `FROM ${this.dialect.table('auth_session')} s ` +
        `WHERE s.session_key IN (${placeholders(keys)}) AND s.ended_at IS NOT NULL`,
      keys.map((key) => bytesOf(key)),
    );
  }

  /** Those that can be forgotten: not marked for long, allowed to log in, and without a session. */
  findForgettable(markedBefore: number, now: number, limit: number): Statement {
    return this.dialect.statement(
      `SELECT ${this.dialect.hex('a.subject_key')} AS subject_key FROM ${this.subject} a ` +
        `WHERE ${FORGETTABLE} AND NOT EXISTS (${this.sessionsOf('a')}) LIMIT ?`,
      [markedBefore, now, limit],
    );
  }

  /** The condition again: somebody may have marked one since it was found. */
  forget(keys: readonly string[], markedBefore: number, now: number): Statement {
    return this.dialect.statement(
      `DELETE FROM ${this.subject} WHERE subject_key IN (${placeholders(keys)}) AND ${FORGETTABLE} ` +
        `AND NOT EXISTS (${this.sessionsOf(this.subject)})`,
      [...keys.map((key) => bytesOf(key)), markedBefore, now],
    );
  }

  private sessionsOf(account: string): string {
    const session = this.dialect.table('auth_session');
    return `SELECT 1 FROM ${session} s WHERE s.subject_key = ${account}.subject_key`;
  }
}
