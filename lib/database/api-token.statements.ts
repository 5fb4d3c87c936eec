import { judgedBy } from './account.statements.js';
import type { Dialect } from './dialect.js';
import { AuthAccount } from './entities/auth-account.entity.js';
import { ApiToken } from './entities/auth-api-token.entity.js';
import { PendingEvent, RevocationEvent } from './entities/revocation-event.entity.js';
import { reader } from './entities/table.js';
import { LogStatements } from './log.statements.js';
import { Statements } from './statement-repository.js';
import type { Statement } from './statement.js';

/** A place in an account's tokens, which are ordered by time and then by key. */
export type ApiTokenPlace = Pick<ApiToken, 'createdAt' | 'tokenKey'>;

/** Before every token. */
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

  /** Does nothing when an earlier attempt, whose COMMIT was not answered, inserted it. */
  readonly insert = this.token.insertMissing();

  /**
   * Tokens by their digests, with what they are judged by and the position of the log, in one snapshot.
   * At least one row, so that the position is always known. Raw: it reads four tables.
   */
  readonly present = this.prepare<[issuerKey: string, digests: readonly string[]]>(
    `SELECT ${this.token.select('t')}, ${this.judged.columns}, ${this.positioned.columns} ` +
      `FROM ${this.positioned.tables} LEFT JOIN ${this.token.table} t ON t.token_digest IN (?2)${this.judged.joins}`,
    'hex',
    'hexes',
  );

  /**
   * How many other API tokens of an account are good. Raw: it counts, and looks for events whose row was not
   * marked yet.
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

  /** Raw: MariaDB does not find a comparison of rows in an index. */
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

  /** Notes in the row that the log has ended the token. */
  readonly end = this.token.update(
    ['digest IN', 'endedAt IS NULL'],
    [`endedAt = ${this.dialect.now}`, 'endReason'],
  );

  readonly use = this.token.update(['digest IN'], [`lastUsedAt = ${this.dialect.now}`]);

  /**
   * API tokens that a cut-off of their account has ended, where it was set after a time. Raw: it joins two
   * tables. A token of no session is none that a cut-off spares.
   */
  readonly findMarked = this.prepare<[markedSince: number, limit: number]>(
    `SELECT ${this.token.select('t', ['digest'])}, ${this.account.select('a', ['reason'])} ` +
      `FROM ${this.account.table} a JOIN ${this.token.table} t ON t.subject_key = a.subject_key ` +
      `WHERE a.marked_at >= ? AND t.ended_at IS NULL AND t.sid IS NULL AND t.gen < a.kills_below LIMIT ?`,
  );

  /** Tokens that an event of their own, above a position, has ended. Raw: it joins two tables. */
  readonly findRevoked = this.prepare<[after: number, limit: number]>(
    `SELECT ${this.token.select('t', ['digest'])}, ${this.event.select('e', ['reason'])} ` +
      `FROM ${this.event.table} e JOIN ${this.token.table} t ON t.token_key = e.event_key ` +
      `WHERE e.position > ? AND t.ended_at IS NULL LIMIT ?`,
  );

  /** Tokens of an account that were issued below a position, some at once. */
  readonly findOfSubject = this.token.findSome(['subjectKey', 'gen <'], { only: ['digest'] });

  /** Tokens that ended, or expired, before a time: each by its own index. */
  readonly findOver = {
    endedAt: this.token.findSome(['endedAt <'], { only: ['digest'] }),
    expiresAt: this.token.findSome(['expiresAt <'], { only: ['digest'] }),
    /** Those of sessions: there is one for each login and refresh. */
    ofSession: this.token.findSome(['expiresAt <', 'sid IS NOT NULL'], { only: ['digest'] }),
  };

  readonly erase = this.token.delete(['digest IN']);

  /** API tokens of an account whose rows have not ended, the newest first; some of them may have expired. */
  pageOpen(subjectKey: string, after: ApiTokenPlace | undefined, limit: number): Statement {
    const { createdAt, tokenKey } = after ?? FIRST_PLACE;
    return this.page(subjectKey, createdAt, tokenKey, limit);
  }
}

const kept = new WeakMap<Dialect, ApiTokenStatements>();

/** The statements of a dialect, whose texts are made once. */
export function apiTokens(dialect: Dialect): ApiTokenStatements {
  let statements = kept.get(dialect);
  if (statements === undefined) kept.set(dialect, (statements = new ApiTokenStatements(dialect)));
  return statements;
}
