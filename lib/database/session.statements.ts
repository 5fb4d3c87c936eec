import { AuthSession, RefreshToken } from './entities/auth-session.entity.js';
import { integerOf, reader } from './entities/table.js';
import { named, type Row, type Statement } from './statement.js';
import { type Judgement, judgedBy, judgementOf } from './account.statements.js';
import { LogStatements, type ReadHead, readHeadOf } from './log.statements.js';
import { Statements } from './statement-repository.js';
import type { AuthClock } from '../platform/auth-clock.js';

/** One row of `auth_session`. */
export type SessionRow = AuthSession;

/** One row of `auth_refresh`. */
export type RefreshRow = RefreshToken;

/** A place in the list of an account's sessions, which is ordered by time and then by key. */
export type SessionPlace = Pick<SessionRow, 'createdAt' | 'key'>;

/** What is stored for retries with an idempotency key. */
export interface RetryProof {
  /** The digest of the idempotency key. */
  readonly digest: string;
  /** The successor, encrypted with a key that needs the idempotency key. */
  readonly sealed: string;
}

/** A refresh token that a client presented, with everything that decides about it, read in one snapshot. */
export interface PresentedToken {
  readonly session: SessionRow;
  readonly refresh: RefreshRow;
  readonly judgement: Judgement;
  /**
   * When the token a given number of rotations earlier was replaced; `null` if there were fewer rotations.
   */
  readonly replacedBefore: number | null;
  /** Whether a pending event ends the session: it is committed and not numbered yet (C5). */
  readonly isEnding: boolean;
  /** The head of the log in the same snapshot. */
  readonly read: ReadHead;
}

/** The place before the newest session. */
const FIRST_PLACE: SessionPlace = { createdAt: Number.MAX_SAFE_INTEGER, key: 'f'.repeat(32) };

/** The prefix of the token's columns in a row that also has the columns of its session. */
const PRESENTED = 'token_';

/** How many used tokens one rotation deletes at most. */
const FORGOTTEN_AT_ONCE = 50;

const FORGOTTEN_SUCCESSOR = ['sealedSuccessor = NULL', 'graceUntil = NULL'] as const;

/** Every statement about sessions and refresh tokens, for all dialects. */
export class SessionStatements extends Statements {
  private readonly session = this.table(AuthSession);
  private readonly refresh = this.table(RefreshToken);
  private readonly judged = judgedBy(this.dialect, 's.subject_key', '?1');
  private readonly positioned = new LogStatements(this.dialect).positioned;

  /** Inserts do nothing if an earlier attempt inserted the row, whose COMMIT was not answered. */
  readonly insertSession = this.session.insertMissing();
  readonly insertRefresh = this.refresh.insertMissing();

  /** Reads the judgement of an account, always one row. Raw SQL, because it joins two rows of one table. */
  readonly judge = this.prepare<[subjectKey: string, issuerKey: string]>(
    `SELECT ${this.judged.columns}, ${this.dialect.text(this.dialect.now)} AS now FROM (SELECT 1 AS one) o${judgedBy(this.dialect, '?1', '?2').joins}`,
    'hex',
    'hex',
  );

  /**
   * Reads everything that decides about refresh tokens, in one snapshot (G1): see {@link PresentedToken}. Raw
   * SQL, because it reads most of the tables.
   */
  private readonly findEach = this.prepare<
    [issuerKey: string, steps: number, digests: readonly string[]]
  >(
    `SELECT ${this.session.select('s')}, ${this.refresh.select('r', undefined, PRESENTED)}, ${this.dialect.text(
      `(SELECT e.replaced_at FROM ${this.refresh.table} e WHERE e.session_key = r.session_key AND e.number = r.number - ?2)`,
    )} AS replaced_before, ${this.dialect.text(
      `(SELECT COUNT(*) FROM ${this.dialect.table('auth_pending')} p WHERE p.event_key = s.session_key)`,
    )} AS pending_ends, ${this.judged.columns}, ${this.positioned.columns} FROM ${this.positioned.tables} ` +
      `JOIN ${this.refresh.table} r ON r.token_digest IN (?3) JOIN ${this.session.table} s ` +
      `ON s.session_key = r.session_key${this.judged.joins}`,
    'hex',
    'plain',
    'hexes',
  );

  /** The same for one token, with a kept plan. A plan for a list, made for a small table, would scan it. */
  private readonly findOne = named('presented', this.findEach);

  /**
   * The only lock of a refresh. A logout of the session takes the same lock, so they never overlap (RT-08).
   */
  readonly lockSession = this.session.find(['key'], { only: ['key'], lock: true });

  private readonly findNumbered = this.prepare<[sessionKey: string, number: number]>(
    `SELECT ${this.refresh.select('t')} FROM ${this.refresh.table} t WHERE t.session_key = ?1 AND (t.number = ?2 ` +
      `OR t.number = (SELECT MAX(m.number) FROM ${this.refresh.table} m WHERE m.session_key = ?1))`,
    'hex',
    'plain',
  );

  /**
   * Replaces a token unless it was replaced (RT-03). Only the caller that changes the row has a successor.
   */
  readonly replace = this.refresh.update(
    ['digest', 'replacedAt IS NULL'],
    ['replacedAt', 'graceUntil', 'sealedSuccessor', 'retryDigest', 'retrySealed'],
  );

  /** Marks a token as used by a logout, so that a later use of it or of its predecessor is noticed (S17). */
  readonly useUp = this.refresh.update(
    ['digest', 'replacedAt IS NULL'],
    [`replacedAt = ${this.dialect.now}`],
  );

  private readonly deleteNumbered = this.refresh.delete(['sessionKey', 'number >', 'number <=']);

  readonly countRetry = this.refresh.update(['digest'], ['retries = retries + 1']);

  /** Counts a retry that has proven to come from the same client; see {@link AuthSession.retriesUntil}. */
  readonly countProvenRetry = this.session.update(['key'], ['retriesUntil']);

  /**
   * Deletes encrypted successors when their grace is over, so that a leaked database contains few of them.
   */
  readonly forgetSuccessors = this.refresh.update(
    ['sessionKey', 'graceUntil <'],
    FORGOTTEN_SUCCESSOR,
  );

  /** Updates the row of a session at a refresh. */
  readonly see = this.session.update(
    ['key'],
    [
      'lastSeenAt',
      'idleUntil',
      'kid',
      'jkt',
      'network',
      'ip = COALESCE(?, ip)',
      'userAgent = COALESCE(?, user_agent)',
    ],
  );

  /** Updates the row of a session when its login was confirmed. */
  readonly confirm = this.session.update(['key'], ['authTime', 'kid', 'network']);

  /** One session by its key, without a lock. */
  readonly findByKey = this.session.find(['key']);

  /**
   * Raw SQL, because each database needs another hint to use the order of the index, and MariaDB uses no
   * index for a comparison of row values: `(a, b) < (?, ?)`.
   */
  private readonly page = this.prepare<
    [subjectKey: string, createdAt: number, key: string, limit: number]
  >(
    `SELECT ${this.session.select('s')} FROM ${this.session.table} s${this.dialect.ordered('auth_session_open')} ` +
      `WHERE s.subject_key = ?1 AND s.created_at <= ?2 AND (s.created_at < ?2 OR s.session_key < ?3) ` +
      `AND s.ended_at IS NULL ORDER BY ${this.dialect.behindNull('s.ended_at', 'DESC')}` +
      `s.created_at DESC, s.session_key DESC LIMIT ?4`,
    'hex',
    'plain',
    'hex',
    'plain',
  );

  /** A page of open sessions whose last access token was signed by this key. */
  readonly listByKey = this.session.findSome(['kid', 'key >', 'endedAt IS NULL', 'idleUntil >'], {
    only: ['sid', 'key'],
    orderBy: 'key',
  });

  /** A page of open sessions of a grant that started below a position. */
  readonly listByGrant = this.session.findSome(['grantId', 'key >', 'endedAt IS NULL', 'gen <'], {
    only: ['sid', 'key', 'grantId'],
    orderBy: 'key',
  });

  /** Some sessions of an account that started below a position. */
  readonly findOfSubject = this.session.findSome(['subjectKey', 'gen <'], { only: ['key'] });

  /** Sessions that were ended or became idle before a time. Each condition has its own index. */
  readonly findOver = {
    endedAt: this.session.findSome(['endedAt <'], { only: ['key'] }),
    idleUntil: this.session.findSome(['idleUntil <'], { only: ['key'] }),
  };

  /**
   * Sessions that a watermark of their account revoked before a time. Raw SQL, because it joins two tables.
   */
  readonly findMarked = this.prepare<[before: number, limit: number]>(
    `SELECT ${this.session.select('s', ['key'])} FROM ${this.dialect.table('auth_subject')} a ` +
      `JOIN ${this.session.table} s ON s.subject_key = a.subject_key ` +
      `WHERE a.marked_at < ? AND a.marked_at > 0 AND s.gen < ` +
      `CASE WHEN s.session_key = a.except_key THEN a.spared_below ELSE a.kills_below END LIMIT ?`,
  );

  /** Deletes sessions before their tokens: a refresh locks in the same order, so the two cannot deadlock. */
  readonly erase = [
    this.session.delete(['key IN']),
    this.refresh.delete(['sessionKey IN']),
  ] as const;

  /**
   * Encrypted successors after their grace, and used tokens that have expired: their reuse proves nothing.
   */
  readonly findTraces = {
    graceUntil: this.refresh.findSome(['graceUntil <'], { only: ['digest'] }),
    expiresAt: this.refresh.findSome(['expiresAt <', 'replacedAt IS NOT NULL'], {
      only: ['digest'],
    }),
  };

  readonly forgetTraces = {
    graceUntil: this.refresh.update(['digest IN'], FORGOTTEN_SUCCESSOR),
    expiresAt: this.refresh.delete(['digest IN']),
  };

  /**
   * Reads those of these tokens that exist, each with everything that decides about it; see `presentedOf`.
   */
  findPresented(issuerKey: string, steps: number, digests: readonly string[]): Statement {
    return (digests.length === 1 ? this.findOne : this.findEach)(issuerKey, steps, digests);
  }

  /** Reads the token after this one, and the newest token of the session. */
  successors(sessionKey: string, number: number): Statement {
    return this.findNumbered(sessionKey, number + 1);
  }

  /**
   * Deletes used tokens up to a number, at most 50 at a time. A session of an earlier release may have a
   * million of them. Those that remain are deleted when they expire.
   */
  forgetUsed(sessionKey: string, upTo: number): Statement {
    return this.deleteNumbered(sessionKey, upTo - FORGOTTEN_AT_ONCE, upTo);
  }

  /**
   * Sessions of an account whose rows are not ended, the newest first. Some may have expired or be revoked
   * by a watermark.
   *
   * @param after - The place of the last session on the previous page.
   */
  pageOpen(subjectKey: string, after: SessionPlace | undefined, limit: number): Statement {
    const { createdAt, key } = after ?? FIRST_PLACE;
    return this.page(subjectKey, createdAt, key, limit);
  }
}

/** The row of an unused token. */
export function newRefreshRow(
  digest: string,
  sessionKey: string,
  number: number,
  expiresAt: number,
): RefreshRow {
  return {
    digest,
    sessionKey,
    number,
    expiresAt,
    replacedAt: null,
    graceUntil: null,
    retries: 0,
    sealedSuccessor: null,
    retryDigest: null,
    retrySealed: null,
  };
}

/** One row of `auth_session`. */
export const sessionOf = reader(AuthSession);

/** One row of `auth_refresh`. */
export const refreshOf = reader(RefreshToken);

const presentedRefreshOf = reader(RefreshToken, undefined, PRESENTED);

/** Reads a row of {@link SessionStatements.findPresented}. */
export function presentedOf(row: Row, clock: Pick<AuthClock, 'database'>): PresentedToken {
  const { replaced_before: before = null, pending_ends: pendingEnds } = row;
  return {
    session: sessionOf(row),
    refresh: presentedRefreshOf(row),
    judgement: judgementOf(row, clock),
    replacedBefore: before === null ? null : integerOf(before),
    isEnding: integerOf(pendingEnds) > 0,
    read: readHeadOf(row, clock),
  };
}
