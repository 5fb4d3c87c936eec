import { bytesOf, placeholders, selectList } from './columns.js';
import type { Dialect } from './dialect.js';
import type { Statement } from './statement.js';
import {
  REFRESH_COLUMNS,
  type RefreshRow,
  type RetryProof,
  SESSION_COLUMNS,
  type SessionPlace,
  type SessionRow,
} from './session-rows.js';

/** Of one session, at one rotation. */
const FORGOTTEN_AT_ONCE = 50;

/** What a rotation writes into the row of the token that was used. */
export interface Replacement extends Pick<RefreshRow, 'graceUntil' | 'sealedSuccessor'> {
  readonly replacedAt: number;
  readonly proof: RetryProof | null;
}

/** What a refresh changes in the row of its session. */
export interface SessionSighting {
  readonly at: number;
  readonly idleUntil: number;
  readonly kid: string;
  readonly ip: string | null;
  readonly userAgent: string | null;
}

/** Every statement about sessions and refresh tokens, written once for all dialects. */
export class SessionStatements {
  private readonly session: string;
  private readonly refresh: string;

  constructor(private readonly dialect: Dialect) {
    this.session = dialect.table('auth_session');
    this.refresh = dialect.table('auth_refresh');
  }

  /** The database's time, after whatever was waited for before. */
  now(): Statement {
    return this.dialect.statement(`SELECT ${this.dialect.text(this.dialect.now)} AS now`, []);
  }

  /** Does nothing when an earlier attempt, whose COMMIT was not answered, inserted it. */
  insertSession(row: SessionRow): Statement {
    return this.dialect.insertMissing('auth_session', SESSION_COLUMNS, [
      [
        bytesOf(row.key),
        row.sid,
        bytesOf(row.subjectKey),
        row.subject,
        row.gen,
        row.kid,
        row.client,
        row.device,
        row.ip,
        row.userAgent,
        row.delivery,
        row.createdAt,
        row.lastSeenAt,
        row.idleUntil,
        row.expiresAt,
        row.endedAt,
        row.endReason,
        row.isPersistent ? null : 0,
        row.retriesUntil,
      ],
    ]);
  }

  insertRefresh(row: RefreshRow): Statement {
    return this.dialect.insertMissing('auth_refresh', REFRESH_COLUMNS, [
      [
        bytesOf(row.digest),
        bytesOf(row.sessionKey),
        row.number,
        row.expiresAt,
        row.replacedAt,
        row.graceUntil,
        row.retries,
        bytesOf(row.sealedSuccessor),
        bytesOf(row.retryDigest),
        bytesOf(row.retrySealed),
      ],
    ]);
  }

  /** Sessions by their refresh tokens, and whether the end of each waits to be numbered. */
  findByTokens(digests: readonly string[]): Statement {
    const { dialect } = this;
    return dialect.statement(
      `SELECT ${selectList(dialect, SESSION_COLUMNS, 's')}, ` +
        `${dialect.hex('r.token_digest')} AS token_digest, ${dialect.text(
          `(SELECT COUNT(*) FROM ${dialect.table('auth_pending')} p WHERE p.event_key = s.session_key)`,
        )} AS pending_ends FROM ${this.refresh} r JOIN ${this.session} s ` +
        `ON s.session_key = r.session_key WHERE r.token_digest IN (${placeholders(digests)})`,
      digests.map((digest) => bytesOf(digest)),
    );
  }

  /** The one lock of a refresh; a logout of the session takes the same (RT-08). */
  lockSession(key: string): Statement {
    return this.dialect.statement(
      `SELECT ${selectList(this.dialect, SESSION_COLUMNS)} FROM ${this.session} ` +
        `WHERE session_key = ?${this.dialect.forUpdate}`,
      [bytesOf(key)],
    );
  }

  /** In a statement of its own, after the lock: what was read before may be old by then. */
  findRefresh(digests: readonly string[]): Statement {
    return this.dialect.statement(
      `SELECT ${selectList(this.dialect, REFRESH_COLUMNS)} FROM ${this.refresh} ` +
        `WHERE token_digest IN (${placeholders(digests)})`,
      digests.map((digest) => bytesOf(digest)),
    );
  }

  /**
   * What a rotation looks at: the presented token, its successor from an attempt whose COMMIT was not
   * answered, and the token so many rotations before.
   */
  findRotation(
    sessionKey: string,
    digest: string,
    successorDigest: string,
    steps: number,
  ): Statement {
    const select = `SELECT ${selectList(this.dialect, REFRESH_COLUMNS)} FROM ${this.refresh}`;
    const number = `SELECT p.number - ? FROM ${this.refresh} p WHERE p.token_digest = ?`;
    return this.dialect.statement(
      `${select} WHERE token_digest IN (?, ?) ` +
        `UNION ALL ${select} WHERE session_key = ? AND number = (${number})`,
      [bytesOf(digest), bytesOf(successorDigest), bytesOf(sessionKey), steps, bytesOf(digest)],
    );
  }

  /** The next token of a session after one of them, and the newest. */
  successors(sessionKey: string, number: number): Statement {
    return this.dialect.statement(
      `SELECT ${selectList(this.dialect, REFRESH_COLUMNS)} FROM ${this.refresh} WHERE session_key = ? ` +
        `AND (number = ? OR number = (SELECT MAX(number) FROM ${this.refresh} WHERE session_key = ?))`,
      [bytesOf(sessionKey), number + 1, bytesOf(sessionKey)],
    );
  }

  /** RT-03: the one conditional write; who changes the row has won. */
  replace(
    digest: string,
    { replacedAt, graceUntil, sealedSuccessor, proof }: Replacement,
  ): Statement {
    return this.dialect.statement(
      `UPDATE ${this.refresh} SET replaced_at = ?, grace_until = ?, sealed_successor = ?, ` +
        `retry_digest = ?, retry_sealed = ? WHERE token_digest = ? AND replaced_at IS NULL`,
      [
        replacedAt,
        graceUntil,
        bytesOf(sealedSuccessor),
        bytesOf(proof?.digest ?? null),
        bytesOf(proof?.sealed ?? null),
        bytesOf(digest),
      ],
    );
  }

  /** A token that was presented in a logout: who presents its predecessor later is noticed (S17). */
  useUp(digest: string): Statement {
    return this.dialect.statement(
      `UPDATE ${this.refresh} SET replaced_at = ${this.dialect.now} ` +
        `WHERE token_digest = ? AND replaced_at IS NULL`,
      [bytesOf(digest)],
    );
  }

  /**
   * Deletes used tokens up to one number, a few at a time: a session of an earlier release may have
   * left a million of them, and these go when they expire.
   */
  forgetUsed(sessionKey: string, upTo: number): Statement {
    return this.dialect.statement(
      `DELETE FROM ${this.refresh} WHERE session_key = ? AND number > ? AND number <= ?`,
      [bytesOf(sessionKey), upTo - FORGOTTEN_AT_ONCE, upTo],
    );
  }

  countRetry(digest: string): Statement {
    return this.dialect.statement(
      `UPDATE ${this.refresh} SET retries = retries + 1 WHERE token_digest = ?`,
      [bytesOf(digest)],
    );
  }

  /** A retry that proved to come from the same client; see {@link SessionRow.retriesUntil}. */
  countProvenRetry(key: string, retriesUntil: number): Statement {
    return this.dialect.statement(
      `UPDATE ${this.session} SET retries_until = ? WHERE session_key = ?`,
      [retriesUntil, bytesOf(key)],
    );
  }

  /** Sealed successors are kept for their grace and no longer. */
  forgetSuccessors(sessionKey: string, now: number): Statement {
    return this.dialect.statement(
      `UPDATE ${this.refresh} SET sealed_successor = NULL, grace_until = NULL ` +
        `WHERE session_key = ? AND grace_until < ?`,
      [bytesOf(sessionKey), now],
    );
  }

  see(key: string, { at, idleUntil, kid, ip, userAgent }: SessionSighting): Statement {
    return this.dialect.statement(
      `UPDATE ${this.session} SET last_seen_at = ?, idle_until = ?, kid = ?, ip = COALESCE(?, ip), ` +
        `user_agent = COALESCE(?, user_agent) WHERE session_key = ?`,
      [at, idleUntil, kid, ip, userAgent, bytesOf(key)],
    );
  }

  /** One session by its key, without a lock. */
  findByKey(key: string): Statement {
    return this.dialect.statement(
      `SELECT ${selectList(this.dialect, SESSION_COLUMNS)} FROM ${this.session} WHERE session_key = ?`,
      [bytesOf(key)],
    );
  }

  /**
   * Sessions of an account whose rows have not ended, the newest first; some of them may have expired,
   * or be ended by a mark.
   */
  pageOpen(subjectKey: string, after: SessionPlace | undefined, limit: number): Statement {
    // Not as a comparison of rows, which MariaDB does not find in an index.
    const beyond = 's.created_at <= ? AND (s.created_at < ? OR s.session_key < ?)';
    return this.dialect.statement(
      `SELECT ${selectList(this.dialect, SESSION_COLUMNS, 's')} FROM ${this.session} s` +
        `${this.dialect.ordered('auth_session_open')} WHERE s.subject_key = ? AND s.ended_at IS NULL${after === undefined ? '' : ` AND ${beyond}`} ` +
        `ORDER BY ${this.dialect.behindNull('s.ended_at', 'DESC')}` +
        `s.created_at DESC, s.session_key DESC LIMIT ?`,
      [
        bytesOf(subjectKey),
        ...(after === undefined ? [] : [after.createdAt, after.createdAt, bytesOf(after.key)]),
        limit,
      ],
    );
  }

  /** Sessions that go on and whose last access token was signed by this key, page by page. */
  listByKey(kid: string, after: string, now: number, limit: number): Statement {
    return this.dialect.statement(
      `SELECT s.sid, ${this.dialect.hex('s.session_key')} AS session_key FROM ${this.session} s ` +
        `WHERE s.kid = ? AND s.session_key > ? AND s.ended_at IS NULL AND s.idle_until > ? ` +
        `ORDER BY s.session_key LIMIT ?`,
      [kid, bytesOf(after), now, limit],
    );
  }

  /** Logins of an account that began below a position, some at once. */
  findOfSubject(subjectKey: string, below: number, limit: number): Statement {
    return this.dialect.statement(
      `SELECT ${this.keyOf('')} FROM ${this.session} WHERE subject_key = ? AND gen < ? LIMIT ?`,
      [bytesOf(subjectKey), below, limit],
    );
  }

  /** Sessions that ended, or could no longer be refreshed, before a time: each by its own index. */
  findOver(what: 'ended_at' | 'idle_until', before: number, limit: number): Statement {
    return this.dialect.statement(
      `SELECT ${this.keyOf('')} FROM ${this.session} WHERE ${what} < ? LIMIT ?`,
      [before, limit],
    );
  }

  /** Sessions that a mark of their account ended before a time. */
  findMarked(before: number, limit: number): Statement {
    return this.dialect.statement(
      `SELECT ${this.keyOf('s.')} FROM ${this.dialect.table('auth_subject')} a ` +
        `JOIN ${this.session} s ON s.subject_key = a.subject_key ` +
        `WHERE a.marked_at < ? AND a.marked_at > 0 AND s.gen < ` +
        `CASE WHEN s.session_key = a.except_key THEN a.spared_below ELSE a.kills_below END LIMIT ?`,
      [before, limit],
    );
  }

  private keyOf(prefix: string): string {
    return `${this.dialect.hex(`${prefix}session_key`)} AS session_key`;
  }

  /** Sessions before their tokens, in the order in which a refresh locks them. */
  erase(keys: readonly string[]): readonly [sessions: Statement, tokens: Statement] {
    const from = (table: string): Statement =>
      this.dialect.statement(
        `DELETE FROM ${table} WHERE session_key IN (${placeholders(keys)})`,
        keys.map((key) => bytesOf(key)),
      );
    return [from(this.session), from(this.refresh)];
  }

  /** Successors past their grace, and used tokens whose reuse would prove nothing any more. */
  findTraces(what: 'grace_until' | 'expires_at', before: number, limit: number): Statement {
    const used = what === 'expires_at' ? ' AND replaced_at IS NOT NULL' : '';
    return this.dialect.statement(
      `SELECT ${this.dialect.hex('token_digest')} AS token_digest FROM ${this.refresh} ` +
        `WHERE ${what} < ?${used} LIMIT ?`,
      [before, limit],
    );
  }

  forgetTraces(what: 'grace_until' | 'expires_at', digests: readonly string[]): Statement {
    const these = `WHERE token_digest IN (${placeholders(digests)})`;
    return this.dialect.statement(
      what === 'expires_at'
        ? `DELETE FROM ${this.refresh} ${these}`
        : `UPDATE ${this.refresh} SET sealed_successor = NULL, grace_until = NULL ${these}`,
      digests.map((digest) => bytesOf(digest)),
    );
  }
}
