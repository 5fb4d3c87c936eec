import { AuthSession, RefreshToken } from './entities/auth-session.entity.js';
import { integerOf, reader } from './entities/table.js';
import { named, type Row, type Statement } from './statement.js';
import { type Judgement, judgedBy, judgementOf } from './account.statements.js';
import { LogStatements, type ReadHead, readHeadOf } from './log.statements.js';
import { Statements } from './statement-repository.js';
import type { AuthClock } from '../platform/auth-clock.js';

/** One login. */
export type SessionRow = AuthSession;

/** One refresh token of a session. */
export type RefreshRow = RefreshToken;

/** A place in an account's sessions, which are ordered by time and then by key. */
export type SessionPlace = Pick<SessionRow, 'createdAt' | 'key'>;

/** What is kept of an idempotency key. */
export interface RetryProof {
  readonly digest: string;
  /** The successor, under a key that needs the idempotency key. */
  readonly sealed: string;
}

/** A refresh token that was presented, with everything that decides about it, as one statement saw it. */
export interface PresentedToken {
  readonly session: SessionRow;
  readonly refresh: RefreshRow;
  readonly judgement: Judgement;
  /** When the token so many rotations before was replaced; `null` for a session with fewer. */
  readonly replacedBefore: number | null;
  /** Whether the end of the session was committed and waits to be numbered (C5). */
  readonly isEnding: boolean;
  /** The head of the log at that moment. */
  readonly read: ReadHead;
}

/** Before every session. */
const FIRST_PLACE: SessionPlace = { createdAt: Number.MAX_SAFE_INTEGER, key: 'f'.repeat(32) };

/** What the names of the token's columns begin with, beside those of its session. */
const PRESENTED = 'token_';

/** Used tokens that one rotation deletes at most. */
const FORGOTTEN_AT_ONCE = 50;

const FORGOTTEN_SUCCESSOR = ['sealedSuccessor = NULL', 'graceUntil = NULL'] as const;

/** Every statement about sessions and refresh tokens, written once for all dialects. */
export class SessionStatements extends Statements {
  private readonly session = this.table(AuthSession);
  private readonly refresh = this.table(RefreshToken);
  private readonly judged = judgedBy(this.dialect, 's.subject_key', '?1');
  private readonly positioned = new LogStatements(this.dialect).positioned;

  /** Does nothing when an earlier attempt, whose COMMIT was not answered, inserted it. */
  readonly insertSession = this.session.insertMissing();
  readonly insertRefresh = this.refresh.insertMissing();

  /** What sessions of an account are judged by: always one row. Raw: it joins two rows of one table. */
  readonly judge = this.prepare<[subjectKey: string, issuerKey: string]>(
    `SELECT ${this.judged.columns}, ${this.dialect.text(this.dialect.now)} AS now FROM (SELECT 1 AS one) o${judgedBy(this.dialect, '?1', '?2').joins}`,
    'hex',
    'hex',
  );

  /**
   * Everything that decides about refresh tokens, in one snapshot: each with its session, what that is
   * judged by, when the token so many rotations before was replaced, whether the end of the session waits
   * to be numbered, and the position of the log (G1). Raw: it reads most of the tables.
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

  /** Of one token. A kept plan for a list would scan what was a small table. */
  private readonly findOne = named('presented', this.findEach);

  /** The one lock of a refresh; a logout of the session takes the same (RT-08). */
  readonly lockSession = this.session.find(['key'], { only: ['key'], lock: true });

  private readonly findNumbered = this.prepare<[sessionKey: string, number: number]>(
    `SELECT ${this.refresh.select('t')} FROM ${this.refresh.table} t WHERE t.session_key = ?1 AND (t.number = ?2 ` +
      `OR t.number = (SELECT MAX(m.number) FROM ${this.refresh.table} m WHERE m.session_key = ?1))`,
    'hex',
    'plain',
  );

  /** RT-03: the one conditional write; the caller that changes the row has won. */
  readonly replace = this.refresh.update(
    ['digest', 'replacedAt IS NULL'],
    ['replacedAt', 'graceUntil', 'sealedSuccessor', 'retryDigest', 'retrySealed'],
  );

  /** A token that was presented in a logout: use of its predecessor is noticed afterwards (S17). */
  readonly useUp = this.refresh.update(
    ['digest', 'replacedAt IS NULL'],
    [`replacedAt = ${this.dialect.now}`],
  );

  private readonly deleteNumbered = this.refresh.delete(['sessionKey', 'number >', 'number <=']);

  readonly countRetry = this.refresh.update(['digest'], ['retries = retries + 1']);

  /** A retry that proved to come from the same client; see {@link AuthSession.retriesUntil}. */
  readonly countProvenRetry = this.session.update(['key'], ['retriesUntil']);

  /** Sealed successors are kept for their grace and no longer. */
  readonly forgetSuccessors = this.refresh.update(
    ['sessionKey', 'graceUntil <'],
    FORGOTTEN_SUCCESSOR,
  );

  /** What a refresh changes in the row of its session. */
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

  /** What a confirmed login changes in the row of its session. */
  readonly confirm = this.session.update(['key'], ['authTime', 'kid', 'network']);

  /** One session by its key, without a lock. */
  readonly findByKey = this.session.find(['key']);

  /**
   * Raw: each database needs its own advice to take the order from the index, and MariaDB does not find a
   * comparison of rows in one.
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

  /** Open sessions whose last access token was signed by this key, page by page. */
  readonly listByKey = this.session.findSome(['kid', 'key >', 'endedAt IS NULL', 'idleUntil >'], {
    only: ['sid', 'key'],
    orderBy: 'key',
  });

  /** Logins of a grant that started below a position and have not ended, page by page. */
  readonly listByGrant = this.session.findSome(['grantId', 'key >', 'endedAt IS NULL', 'gen <'], {
    only: ['sid', 'key', 'grantId'],
    orderBy: 'key',
  });

  /** Logins of an account that started below a position, some at once. */
  readonly findOfSubject = this.session.findSome(['subjectKey', 'gen <'], { only: ['key'] });

  /** Sessions that ended, or could no longer be refreshed, before a time: each by its own index. */
  readonly findOver = {
    endedAt: this.session.findSome(['endedAt <'], { only: ['key'] }),
    idleUntil: this.session.findSome(['idleUntil <'], { only: ['key'] }),
  };

  /** Sessions that a cut-off of their account ended before a time. Raw: it joins two tables. */
  readonly findMarked = this.prepare<[before: number, limit: number]>(
    `SELECT ${this.session.select('s', ['key'])} FROM ${this.dialect.table('auth_subject')} a ` +
      `JOIN ${this.session.table} s ON s.subject_key = a.subject_key ` +
      `WHERE a.marked_at < ? AND a.marked_at > 0 AND s.gen < ` +
      `CASE WHEN s.session_key = a.except_key THEN a.spared_below ELSE a.kills_below END LIMIT ?`,
  );

  /** Sessions before their tokens, in the order in which a refresh locks them. */
  readonly erase = [
    this.session.delete(['key IN']),
    this.refresh.delete(['sessionKey IN']),
  ] as const;

  /** Successors past their grace, and used tokens whose reuse would prove nothing any more. */
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

  /** Each of these tokens that there is, with everything that decides about it; read with `presentedOf`. */
  findPresented(issuerKey: string, steps: number, digests: readonly string[]): Statement {
    return (digests.length === 1 ? this.findOne : this.findEach)(issuerKey, steps, digests);
  }

  /** The next token of a session after one of them, and the newest. */
  successors(sessionKey: string, number: number): Statement {
    return this.findNumbered(sessionKey, number + 1);
  }

  /**
   * Deletes used tokens up to one number, a few at a time: a session of an earlier release may have
   * left a million of them, and these go when they expire.
   */
  forgetUsed(sessionKey: string, upTo: number): Statement {
    return this.deleteNumbered(sessionKey, upTo - FORGOTTEN_AT_ONCE, upTo);
  }

  /**
   * Sessions of an account whose rows have not ended, the newest first; some of them may have expired,
   * or be ended by a mark.
   *
   * @param after - The last one of the page before.
   */
  pageOpen(subjectKey: string, after: SessionPlace | undefined, limit: number): Statement {
    const { createdAt, key } = after ?? FIRST_PLACE;
    return this.page(subjectKey, createdAt, key, limit);
  }
}

/** The row of a token that was not used yet. */
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

/** One row of {@link SessionStatements.findPresented}. */
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
