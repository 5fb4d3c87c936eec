import { writeEach } from '../database/at-once.statements.js';
import { newRefreshRow, type SessionRow } from '../database/session.statements.js';
import type { Statement, Transaction } from '../database/statement.js';
import { SessionLimiter, type SessionLimits } from './session-limits.js';
import {
  endOf,
  refusalOf,
  type SessionWrite,
  type StoredSessions,
} from './session-store.service.js';

/**
 * What a login was stored as: the ids of the sessions beyond the limit, which have to end; or why nothing
 * was stored. `overtaken`: a cut-off of the account is above its position (G1).
 */
export type LoginOutcome = readonly string[] | 'locked' | 'disabled' | 'overtaken';

/**
 * Stores a new session, unless its account may not log in: without a look where the account has no lock,
 * no cut-off above the position, and few sessions of any client.
 *
 * An account that is far from its limit takes no lock, so logins of one account do not wait for each other.
 *
 * @param refreshDigest - Of its first refresh token, if it gets one.
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

/** What stores it. */
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
    // It locks the row also where there is one: two logins at once would not see each other.
    yield of.accounts.insertMissing([subjectKey]);
    judgement = yield* of.judge(subjectKey);
  }
  const refusal = refusalOf(judgement);
  if (refusal !== undefined) return refusal;
  // A cut-off above its position revokes it from the start (G1), so nothing of it is stored.
  if (endOf(session, judgement) !== undefined) return 'overtaken';
  yield* writeEach(rowsOf(of, session, refreshDigest));
  return mayExceed ? yield* limiter.surplus(judgement) : [];
}
