import type { Dialect } from './dialect.js';
import { AuthSession, RefreshToken } from './entities/auth-session.entity.js';
import { bytesOf, placeholders, reader } from './entities/table.js';
import {
  atMost,
  Expression,
  lessThan,
  moreThan,
  oneOf,
  present,
  StatementRepository,
} from './statement-repository.js';
import type { Statement } from './statement.js';

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

/** Of one session, at one rotation. */
const FORGOTTEN_AT_ONCE = 50;

const FORGOTTEN_SUCCESSOR = { sealedSuccessor: null, graceUntil: null } as const;

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
  private readonly session: StatementRepository<AuthSession>;
  private readonly refresh: StatementRepository<RefreshToken>;

  constructor(private readonly dialect: Dialect) {
    this.session = new StatementRepository(dialect, AuthSession);
    this.refresh = new StatementRepository(dialect, RefreshToken);
  }

  /** The database's time, after whatever was waited for before. */
  now(): Statement {
    return this.dialect.statement(`SELECT ${this.dialect.text(this.dialect.now)} AS now`, []);
  }

  /** Does nothing when an earlier attempt, whose COMMIT was not answered, inserted it. */
  insertSession(row: SessionRow): Statement {
    return this.session.insertMissing([row]);
  }

  insertRefresh(row: RefreshRow): Statement {
    return this.refresh.insertMissing([row]);
  }

  /** Sessions by their refresh tokens, and whether the end of each waits to be numbered. */
  findByTokens(digests: readonly string[]): Statement {
    const { dialect } = this;
    return dialect.statement(
      `SELECT ${this.session.select('s')}, ${this.refresh.select('r', ['digest'])}, ${dialect.text(
        `(SELECT COUNT(*) FROM ${dialect.table('auth_pending')} p WHERE p.event_key = s.session_key)`,
      )} AS pending_ends FROM ${this.refresh.table} r JOIN ${this.session.table} s ` +
        `ON s.session_key = r.session_key WHERE r.token_digest IN (${placeholders(digests)})`,
      digests.map((digest) => bytesOf(digest)),
    );
  }

  /** The one lock of a refresh; a logout of the session takes the same (RT-08). */
  lockSession(key: string): Statement {
    return this.session.find({ key }, { lock: true });
  }

  /** In a statement of its own, after the lock: what was read before may be old by then. */
  findRefresh(digests: readonly string[]): Statement {
    return this.refresh.find({ digest: oneOf(digests) });
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
    const { table } = this.refresh;
    const select = `SELECT ${this.refresh.select('t')} FROM ${table} t`;
    const number = `SELECT p.number - ? FROM ${table} p WHERE p.token_digest = ?`;
    return this.dialect.statement(
      `${select} WHERE t.token_digest IN (?, ?) ` +
        `UNION ALL ${select} WHERE t.session_key = ? AND t.number = (${number})`,
      [bytesOf(digest), bytesOf(successorDigest), bytesOf(sessionKey), steps, bytesOf(digest)],
    );
  }

  /** The next token of a session after one of them, and the newest. */
  successors(sessionKey: string, number: number): Statement {
    const { table } = this.refresh;
    return this.dialect.statement(
      `SELECT ${this.refresh.select('t')} FROM ${table} t WHERE t.session_key = ? ` +
        `AND (t.number = ? OR t.number = (SELECT MAX(m.number) FROM ${table} m WHERE m.session_key = ?))`,
      [bytesOf(sessionKey), number + 1, bytesOf(sessionKey)],
    );
  }

  /** RT-03: the one conditional write; who changes the row has won. */
  replace(
    digest: string,
    { replacedAt, graceUntil, sealedSuccessor, proof }: Replacement,
  ): Statement {
    return this.refresh.update(
      { digest, replacedAt: null },
      {
        replacedAt,
        graceUntil,
        sealedSuccessor,
        retryDigest: proof?.digest ?? null,
        retrySealed: proof?.sealed ?? null,
      },
    );
  }

  /** A token that was presented in a logout: who presents its predecessor later is noticed (S17). */
  useUp(digest: string): Statement {
    return this.refresh.update(
      { digest, replacedAt: null },
      { replacedAt: new Expression(this.dialect.now) },
    );
  }

  /**
   * Deletes used tokens up to one number, a few at a time: a session of an earlier release may have
   * left a million of them, and these go when they expire.
   */
  forgetUsed(sessionKey: string, upTo: number): Statement {
    return this.refresh.delete({
      sessionKey,
      number: [moreThan(upTo - FORGOTTEN_AT_ONCE), atMost(upTo)],
    });
  }

  countRetry(digest: string): Statement {
    return this.refresh.update({ digest }, { retries: new Expression('retries + 1') });
  }

  /** A retry that proved to come from the same client; see {@link SessionRow.retriesUntil}. */
  countProvenRetry(key: string, retriesUntil: number): Statement {
    return this.session.update({ key }, { retriesUntil });
  }

  /** Sealed successors are kept for their grace and no longer. */
  forgetSuccessors(sessionKey: string, now: number): Statement {
    return this.refresh.update({ sessionKey, graceUntil: lessThan(now) }, FORGOTTEN_SUCCESSOR);
  }

  see(key: string, { at, idleUntil, kid, ip, userAgent }: SessionSighting): Statement {
    return this.session.update(
      { key },
      {
        lastSeenAt: at,
        idleUntil,
        kid,
        ip: new Expression('COALESCE(?, ip)', [ip]),
        userAgent: new Expression('COALESCE(?, user_agent)', [userAgent]),
      },
    );
  }

  /** One session by its key, without a lock. */
  findByKey(key: string): Statement {
    return this.session.find({ key });
  }

  /**
   * Sessions of an account whose rows have not ended, the newest first; some of them may have expired,
   * or be ended by a mark.
   */
  pageOpen(subjectKey: string, after: SessionPlace | undefined, limit: number): Statement {
    // Not as a comparison of rows, which MariaDB does not find in an index.
    const beyond = 's.created_at <= ? AND (s.created_at < ? OR s.session_key < ?)';
    return this.dialect.statement(
      `SELECT ${this.session.select('s')} FROM ${this.session.table} s` +
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

  /** Open sessions whose last access token was signed by this key, page by page. */
  listByKey(kid: string, after: string, now: number, limit: number): Statement {
    return this.session.find(
      { kid, key: moreThan(after), endedAt: null, idleUntil: moreThan(now) },
      { only: ['sid', 'key'], orderBy: 'key', limit },
    );
  }

  /** Logins of an account that began below a position, some at once. */
  findOfSubject(subjectKey: string, below: number, limit: number): Statement {
    return this.session.find({ subjectKey, gen: lessThan(below) }, { only: ['key'], limit });
  }

  /** Sessions that ended, or could no longer be refreshed, before a time: each by its own index. */
  findOver(what: 'endedAt' | 'idleUntil', before: number, limit: number): Statement {
    return this.session.find({ [what]: lessThan(before) }, { only: ['key'], limit });
  }

  /** Sessions that a mark of their account ended before a time. */
  findMarked(before: number, limit: number): Statement {
    return this.dialect.statement(
      `SELECT ${this.session.select('s', ['key'])} FROM ${this.dialect.table('auth_subject')} a ` +
        `JOIN ${this.session.table} s ON s.subject_key = a.subject_key ` +
        `WHERE a.marked_at < ? AND a.marked_at > 0 AND s.gen < ` +
        `CASE WHEN s.session_key = a.except_key THEN a.spared_below ELSE a.kills_below END LIMIT ?`,
      [before, limit],
    );
  }

  /** Sessions before their tokens, in the order in which a refresh locks them. */
  erase(keys: readonly string[]): readonly [sessions: Statement, tokens: Statement] {
    return [
      this.session.delete({ key: oneOf(keys) }),
      this.refresh.delete({ sessionKey: oneOf(keys) }),
    ];
  }

  /** Successors past their grace, and used tokens whose reuse would prove nothing any more. */
  findTraces(what: 'graceUntil' | 'expiresAt', before: number, limit: number): Statement {
    return this.refresh.find(
      { [what]: lessThan(before), ...(what === 'expiresAt' ? { replacedAt: present() } : {}) },
      { only: ['digest'], limit },
    );
  }

  forgetTraces(what: 'graceUntil' | 'expiresAt', digests: readonly string[]): Statement {
    const these = { digest: oneOf(digests) };
    return what === 'expiresAt'
      ? this.refresh.delete(these)
      : this.refresh.update(these, FORGOTTEN_SUCCESSOR);
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
