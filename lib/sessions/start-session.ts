import type { Judgement } from '../database/account.statements.js';
import { writeEach } from '../database/at-once.statements.js';
import type { Dialect } from '../database/dialect.js';
import { sharingALimit } from '../database/session-limit.statement.js';
import { newRefreshRow, type SessionRow } from '../database/session.statements.js';
import type { Statement, Transaction } from '../database/statement.js';
import {
  endOf,
  refusalOf,
  type SessionWrite,
  type StoredSessions,
} from './session-store.service.js';

/** The name of the limit that clients without a limit of their own share. */
const SHARED_LIMIT = '*';

/** The most sessions that one login revokes. The next login continues. */
const MOST_ENDED = 20;

/**
 * The most rows that one search skips, besides those within the limit: expired sessions, and those
 * before a cut-off.
 */
const MOST_PASSED = 1_000;

/** How many sessions an account may have, by client name. `'*'` is always included. */
type SessionLimits = ReadonlyMap<string, number>;

/**
 * The outcome of storing a login: the ids of the sessions beyond the limit, which must be revoked,
 * or why nothing was stored. `overtaken`: the account has a cut-off above its position (G1).
 */
type LoginOutcome = readonly string[] | 'locked' | 'disabled' | 'overtaken';

/**
 * Stores a new session, unless its account may not log in. If the account has no lock, no cut-off
 * above the position, and few sessions, that needs no read first.
 *
 * While an account is far below its limit, its row is not locked, so logins of one account do not
 * wait for each other.
 *
 * @param refreshDigest - The digest of its first refresh token, if it gets one.
 * @param limits - How many sessions the account may have; `undefined`: any number.
 */
export function newSession(
  session: SessionRow,
  refreshDigest: string | undefined,
  limits: SessionLimits | undefined,
): SessionWrite<LoginOutcome> {
  const { subjectKey, gen } = session;
  return {
    steps: (of) => inSteps(of, session, refreshDigest, limits),
    atOnce(of) {
      const near = limits && new SessionLimiter(of.dialect, session, limits).near;
      if (near === 0) return undefined;
      const most = near === undefined ? 0 : 1;
      const given = of.once.accountIsFree(subjectKey, of.issuerKey, gen, most, (near ?? 1) - 1);
      const [change, ...others] = rowsOf(of, session, refreshDigest);
      return { name: 'login', given, change, others, sweeps: [], outcome: [] };
    },
  };
}

/** The statements that store a session and its first refresh token. */
function rowsOf(
  { statements }: StoredSessions,
  session: SessionRow,
  refreshDigest: string | undefined,
): [Statement, ...Statement[]] {
  const change = statements.insertSession(session);
  if (refreshDigest === undefined) return [change];
  const refresh = newRefreshRow(refreshDigest, session.key, 1, session.idleUntil);
  return [change, statements.insertRefresh(refresh)];
}

function* inSteps(
  of: StoredSessions,
  session: SessionRow,
  refreshDigest: string | undefined,
  limits: SessionLimits | undefined,
): Transaction<LoginOutcome> {
  const { subjectKey } = session;
  const limiter = limits && new SessionLimiter(of.dialect, session, limits);
  let judgement = yield* of.judge(subjectKey);
  const mayExceed = limiter !== undefined && !(yield* limiter.isFar(judgement));
  if (mayExceed) {
    // This locks the row, also if it exists already. Without the lock, two simultaneous logins
    // would not see each other.
    yield of.accounts.insertMissing([subjectKey]);
    judgement = yield* of.judge(subjectKey);
  }
  const refusal = refusalOf(judgement);
  if (refusal !== undefined) return refusal;
  // A cut-off above its position revokes the session from the start (G1), so nothing is stored.
  if (endOf(session, judgement) !== undefined) return 'overtaken';
  yield* writeEach(rowsOf(of, session, refreshDigest));
  return mayExceed ? yield* limiter.surplus(judgement) : [];
}

/** Finds the sessions that share a limit with a new one, and those beyond the limit. */
class SessionLimiter {
  private readonly limit: number;
  private readonly group: { readonly only: string | null; readonly listed: readonly string[] };
  private readonly most: number;

  constructor(
    private readonly dialect: Dialect,
    private readonly session: SessionRow,
    limits: SessionLimits,
  ) {
    const { client } = session;
    const isListed = client !== null && client !== SHARED_LIMIT && limits.has(client);
    this.limit = limits.get(isListed ? client : SHARED_LIMIT) ?? Infinity;
    this.group = {
      only: isListed ? client : null,
      listed: [...limits.keys()].filter((name) => name !== SHARED_LIMIT),
    };
    this.most = [...limits.values()].reduce((sum, limit) => sum + limit, MOST_PASSED);
  }

  /**
   * Below this number of sessions no session has to be revoked, even if some simultaneous logins do
   * not see each other. From it on, the account must be locked first.
   */
  get near(): number {
    return Math.max(0, this.limit - MOST_ENDED);
  }

  /** Whether fewer than {@link near} sessions share the limit. */
  *isFar(judgement: Judgement): Transaction<boolean> {
    const { near } = this;
    return near > 0 && (yield this.find(judgement, 'DESC', near - 1, 1)).rows.length === 0;
  }

  /**
   * The ids of the sessions beyond the limit: the oldest ones, at most {@link MOST_ENDED}, never
   * the new one.
   */
  *surplus(judgement: Judgement): Transaction<string[]> {
    const { rows: beyond } = yield this.find(judgement, 'DESC', this.limit - 1, MOST_ENDED);
    if (beyond.length < MOST_ENDED) return sidsOf(beyond);
    const { rows: oldest } = yield this.find(judgement, 'ASC', 0, MOST_ENDED);
    // There are more ended sessions than one search skips. These are not the oldest ones, but
    // beyond the limit too.
    return sidsOf(oldest.length === MOST_ENDED ? oldest : beyond);
  }

  private find(
    judgement: Judgement,
    order: 'ASC' | 'DESC',
    skipped: number,
    count: number,
  ): Statement {
    const page = { order, passed: this.most, skipped, count };
    return sharingALimit(this.dialect, this.session, this.group, judgement, page);
  }
}

function sidsOf(rows: readonly Readonly<Record<string, string | null>>[]): string[] {
  return rows.map(({ sid }) => sid ?? '');
}
