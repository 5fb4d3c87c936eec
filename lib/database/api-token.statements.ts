import { judgedBy } from './account.statements.js';
import type { Dialect } from './dialect.js';
import { AuthAccount } from './entities/auth-account.entity.js';
import { ApiToken } from './entities/auth-api-token.entity.js';
import { PendingEvent, RevocationEvent } from './entities/revocation-event.entity.js';
import { reader } from './entities/table.js';
import { LogStatements } from './log.statements.js';
import { Statements } from './statement-repository.js';
import type { Statement } from './statement.js';

/** A place in the list of an account's tokens, which is ordered by time and then by key. */
export type ApiTokenPlace = Pick<ApiToken, 'createdAt' | 'tokenKey'>;

/** The place before the newest token. */
const FIRST_PLACE: ApiTokenPlace = { createdAt: Number.MAX_SAFE_INTEGER, tokenKey: 'f'.repeat(32) };

/** One row of `auth_api_token`. */
export const apiTokenOf = reader(ApiToken);

/** Every statement about opaque tokens, written once for all dialects. */
export class ApiTokenStatements extends Statements {
  private readonly token = this.table(ApiToken);
  private readonly account = this.table(AuthAccount);
  private readonly judged = judgedBy(this.dialect, 't.subject_key', '?1');
  private readonly event = this.table(RevocationEvent);
  private readonly log = new LogStatements(this.dialect);
  private readonly positioned = this.log.positioned;

  /** The position of the log. */
  readonly position = this.log.position;

  /** Inserts a token. It does nothing if an earlier attempt inserted it, whose COMMIT was not answered. */
  readonly insert = this.token.insertMissing();

  /**
   * Reads tokens by their digests, with their judgements and the position of the log, in one snapshot (O1).
   * There is always at least one row, with the position. Raw SQL, because it reads four tables.
   */
  readonly present = this.prepare<[issuerKey: string, digests: readonly string[]]>(
    `SELECT ${this.token.select('t')}, ${this.judged.columns}, ${this.positioned.columns} ` +
      `FROM ${this.positioned.tables} LEFT JOIN ${this.token.table} t ON t.token_digest IN (?2)${this.judged.joins}`,
    'hex',
    'hexes',
  );

  /**
   * Counts the other valid API tokens of an account. Raw SQL, because it also excludes tokens that an event
   * has revoked but whose row is not ended yet.
   */
  readonly countOthers = this.prepare<
    [subjectKey: string, digest: string, now: number, killsBelow: number]
  >(
    `SELECT COUNT(*) AS open FROM ${this.token.table} t WHERE t.subject_key = ?1 AND t.token_digest <> ?2 ` +
      `AND t.sid IS NULL AND t.ended_at IS NULL AND t.expires_at > ?3 AND t.gen >= ?4` +
      [this.event.table, this.table(PendingEvent).table]
        .map(
          (table) => ` AND NOT EXISTS (SELECT 1 FROM ${table} e WHERE e.event_key = t.token_key)`,
        )
        .join(''),
    'hex',
    'hex',
    'plain',
    'plain',
  );

  readonly findByDigest = this.token.find(['digest']);
  readonly findByKey = this.token.find(['tokenKey']);

  /** Raw SQL, because MariaDB uses no index for a comparison of row values: `(a, b) < (?, ?)`. */
  private readonly page = this.prepare<
    [subjectKey: string, createdAt: number, key: string, limit: number]
  >(
    `SELECT ${this.token.select('t')} FROM ${this.token.table} t ` +
      `WHERE t.subject_key = ?1 AND t.created_at <= ?2 AND (t.created_at < ?2 OR t.token_key < ?3) ` +
      `AND t.ended_at IS NULL AND t.sid IS NULL ORDER BY t.created_at DESC, t.token_key DESC LIMIT ?4`,
    'hex',
    'plain',
    'hex',
    'plain',
  );

  /** Ends the rows of tokens that the log has revoked. */
  readonly end = this.token.update(
    ['digest IN', 'endedAt IS NULL'],
    [`endedAt = ${this.dialect.now}`, 'endReason'],
  );

  readonly use = this.token.update(['digest IN'], [`lastUsedAt = ${this.dialect.now}`]);

  /**
   * Finds API tokens that a watermark of their account has revoked, if it was set after a time (O4). A
   * watermark can only spare a session, so it never spares an API token. Raw SQL, because it joins two
   * tables.
   */
  readonly findMarked = this.prepare<[markedSince: number, limit: number]>(
    `SELECT ${this.token.select('t', ['digest'])}, ${this.account.select('a', ['reason'])} ` +
      `FROM ${this.account.table} a JOIN ${this.token.table} t ON t.subject_key = a.subject_key ` +
      `WHERE a.marked_at >= ? AND t.ended_at IS NULL AND t.sid IS NULL AND t.gen < a.kills_below LIMIT ?`,
  );

  /** Finds tokens with an event of their own above a position. Raw SQL, because it joins two tables. */
  readonly findRevoked = this.prepare<[after: number, limit: number]>(
    `SELECT ${this.token.select('t', ['digest'])}, ${this.event.select('e', ['reason'])} ` +
      `FROM ${this.event.table} e JOIN ${this.token.table} t ON t.token_key = e.event_key ` +
      `WHERE e.position > ? AND t.ended_at IS NULL LIMIT ?`,
  );

  /** Finds some tokens of an account that were issued below a position. */
  readonly findOfSubject = this.token.findSome(['subjectKey', 'gen <'], { only: ['digest'] });

  /** Finds tokens that were revoked or expired before a time. Each condition has its own index. */
  readonly findOver = {
    endedAt: this.token.findSome(['endedAt <'], { only: ['digest'] }),
    expiresAt: this.token.findSome(['expiresAt <'], { only: ['digest'] }),
    /** Access tokens of sessions. They are deleted early, because each login and refresh adds one. */
    ofSession: this.token.findSome(['expiresAt <', 'sid IS NOT NULL'], { only: ['digest'] }),
  };

  readonly erase = this.token.delete(['digest IN']);

  /** API tokens of an account whose rows are not ended, the newest first. Some may have expired. */
  pageOpen(subjectKey: string, after: ApiTokenPlace | undefined, limit: number): Statement {
    const { createdAt, tokenKey } = after ?? FIRST_PLACE;
    return this.page(subjectKey, createdAt, tokenKey, limit);
  }
}

const kept = new WeakMap<Dialect, ApiTokenStatements>();

/** The statements of a dialect. Their texts are made once for each dialect. */
export function apiTokens(dialect: Dialect): ApiTokenStatements {
  let statements = kept.get(dialect);
  if (statements === undefined) kept.set(dialect, (statements = new ApiTokenStatements(dialect)));
  return statements;
}
