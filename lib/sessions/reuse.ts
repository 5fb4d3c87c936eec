import type { PresentedToken, RefreshRow, SessionRow } from '../database/session.statements.js';
import type { Transaction } from '../database/statement.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { accessTtlOf, type StoredSessions } from './session-store.service.js';

/**
 * What is known about the reuse of a refresh token (RFC 9700 section 4.14.2).
 *
 * - `recent`: its successor was not used yet. The client may have lost the response, or a thief
 *   came first. The two cases cannot be told apart.
 * - `orphaned`: its successor was used, but nothing after that. Two clients share one login.
 * - `stale`: the session has continued for longer without it. Only a thief or a restored backup
 *   still has it.
 * - `after_end`: the session had ended already, perhaps by a logout of the thief.
 *
 * The first three revoke the session. The classes are for reports only; all are treated alike.
 *
 * @publicApi
 */
export type ReuseClass = 'recent' | 'orphaned' | 'stale' | 'after_end';

/** The outcome of a token that is presented again. */
export type RetryOutcome =
  | {
      readonly kind: 'retried';
      /** The row of the successor that was in the first response. */
      readonly refresh: RefreshRow;
      readonly sealed: string;
      /** Whether the successor is encrypted with the idempotency key too. */
      readonly isProven: boolean;
    }
  | { readonly kind: 'unknown' | 'expired' }
  /**
   * There were too many rotations or retries. `wait` is the time until one more is allowed (ms).
   */
  | { readonly kind: 'too many'; readonly wait: number }
  | { readonly kind: 'reused'; readonly reuse: ReuseClass };

/**
 * How many used tokens of a session are kept, so that their reuse is noticed. Older ones are
 * deleted.
 */
export const MOST_USED = 100;

/**
 * The most retries with an idempotency key within one access-token lifetime. It is large, because
 * many tabs may share a token and its key.
 */
const MOST_PROVEN_RETRIES = 100;

/**
 * Whether a token of an ended session was used before by someone else: its successor was used too,
 * or its grace is over and the caller does not prove that it is the same client (S17).
 */
export function isReuse(
  presented: RefreshRow,
  successors: readonly RefreshRow[],
  retryDigest: string | undefined,
  now: number,
): boolean {
  if (presented.replacedAt === null) return false;
  const next = successors.find(({ number }) => number === presented.number + 1);
  // A token that was used by a logout has no successor.
  if (next === undefined) return false;
  if (next.replacedAt !== null) return !isReplay(presented, next, retryDigest);
  return !isProven(presented, retryDigest) && !isInGrace(presented, now);
}

/**
 * Handles a token that was used before (RT-04, RT-06). Within its grace, any caller gets the same
 * successor again. After that, only a caller that proves that it is the first client does. From any
 * other caller the token counts as stolen.
 */
export function* retry(
  { statements }: StoredSessions,
  { session, refresh: presented, judgement: { now } }: PresentedToken,
  successors: readonly RefreshRow[],
  retryDigest: string | undefined,
  options: Pick<ResolvedAuthOptions, 'accessTokenTtl' | 'refreshGraceRetries'>,
): Transaction<RetryOutcome> {
  const newest = Math.max(...successors.map(({ number }) => number), presented.number);
  // Tokens of this age are deleted in portions. The answer must not depend on whether this one is
  // deleted already (S7).
  if (newest - presented.number > MOST_USED) return { kind: 'unknown' };
  const next = successors.find(({ number }) => number === presented.number + 1);
  const { retrySealed, sealedSuccessor } = presented;
  if (next !== undefined && retrySealed !== null && isSameClient(presented, next, retryDigest)) {
    if (now >= presented.expiresAt) return { kind: 'expired' };
    const due = nextRetry(session, now, accessTtlOf(session, options));
    if (due.wait > 0) return { kind: 'too many', wait: due.wait };
    yield statements.countProvenRetry(session.key, { retriesUntil: due.until });
    return { kind: 'retried', refresh: next, sealed: retrySealed, isProven: true };
  }
  if (next !== undefined && sealedSuccessor !== null && isInGrace(presented, now)) {
    if (presented.retries < options.refreshGraceRetries) {
      yield statements.countRetry(presented.digest);
      return { kind: 'retried', refresh: next, sealed: sealedSuccessor, isProven: false };
    }
  }
  return { kind: 'reused', reuse: classOf(newest - presented.number) };
}

/**
 * Whether the client that used the token first sends it again, and no one else can have used its
 * successor.
 */
function isSameClient(
  presented: RefreshRow,
  next: RefreshRow,
  retryDigest: string | undefined,
): boolean {
  return next.replacedAt === null
    ? isProven(presented, retryDigest)
    : isReplay(presented, next, retryDigest);
}

/**
 * Whether this is an old request that is delivered again after its client has continued: the
 * successor was only given to callers that proved that they are this client, and was used by a
 * client that sends such keys too.
 */
function isReplay(
  presented: RefreshRow,
  next: RefreshRow,
  retryDigest: string | undefined,
): boolean {
  return isProven(presented, retryDigest) && presented.retries === 0 && next.retryDigest !== null;
}

function isProven({ retryDigest }: RefreshRow, presented: string | undefined): boolean {
  return retryDigest !== null && retryDigest === presented;
}

function isInGrace({ graceUntil }: RefreshRow, now: number): boolean {
  return graceUntil !== null && now <= graceUntil;
}

/**
 * Rate limit for proven retries (a leaky bucket in one number): each retry moves `until` ahead by
 * its share of `span`, and `until` may be at most `span` ahead. `wait` is the time until the retry
 * is allowed (ms).
 */
function nextRetry(
  { retriesUntil }: SessionRow,
  now: number,
  span: number,
): { readonly until: number; readonly wait: number } {
  // A value further ahead was written before the database's clock was set back, or for a longer
  // span, and is ignored.
  const counted = retriesUntil !== null && retriesUntil <= now + span ? retriesUntil : now;
  const until = Math.max(counted, now) + Math.ceil(span / MOST_PROVEN_RETRIES);
  return { until, wait: until - now - span };
}

/** The class of a reuse, by how many tokens of the session came after the presented one. */
export function classOf(steps: number): ReuseClass {
  if (steps <= 1) return 'recent';
  return steps === 2 ? 'orphaned' : 'stale';
}
