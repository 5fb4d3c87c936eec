import { newRefreshRow, type SessionRow } from '../database/session.statements.js';
import type { Transaction } from '../database/statement.js';
import { SessionLimiter, type SessionLimits } from './session-limits.js';
import { endOf, refusalOf, type StoredSessions } from './session-store.service.js';

/**
 * What a login was stored as: the ids of the sessions beyond the limit, which have to end; or why nothing
 * was stored. `overtaken`: a cut-off of the account is above its position (G1).
 */
export type LoginOutcome = readonly string[] | 'locked' | 'disabled' | 'overtaken';

/**
 * Stores a new session, unless its account may not log in.
 *
 * An account that is far from its limit takes no lock, so logins of one account do not wait for each other.
 *
 * @param refreshDigest - Of its first refresh token, if it gets one.
 * @param limits - How many sessions the account may have; `undefined`: any number.
 */
export function* startSession(
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
  yield of.statements.insertSession(session);
  if (refreshDigest !== undefined) {
    const refresh = newRefreshRow(refreshDigest, session.key, 1, session.idleUntil);
    yield of.statements.insertRefresh(refresh);
  }
  return mayExceed ? yield* limiter.surplus(judgement) : [];
}
