import type { PresentedToken, RefreshRow, SessionRow } from '../database/session.statements.js';
import type { Transaction } from '../database/statement.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { accessTtlOf, type StoredSessions } from './session-store.service.js';

/**
 * What a refresh token that was used before says about who uses it again.
 *
 * - `recent`: its successor was not used yet. The client may have lost the answer, or a thief came
 *   first: both look the same.
 * - `orphaned`: its successor was used, but nothing after that: two clients share one login.
 * - `stale`: the session has continued for longer without it; only a thief or a restored backup
 *   still has it.
 * - `after_end`: the session had ended already; its end may have been a thief's own logout.
 *
 * The first three end the session: the classes are for reports, and none is treated more gently.
 *
 * @publicApi
 */
export type ReuseClass = 'recent' | 'orphaned' | 'stale' | 'after_end';

/** What becomes of a token that is presented again. */
export type RetryOutcome =
  | {
      readonly kind: 'retried';
      /** The row of the successor that the first answer carried. */
      readonly refresh: RefreshRow;
      readonly sealed: string;
      /** Whether it is sealed under the idempotency key too. */
      readonly isProven: boolean;
    }
  | { readonly kind: 'unknown' | 'expired' }
  /** Too many rotations or retries were made; how long until one more is allowed (ms). */
  | { readonly kind: 'too many'; readonly wait: number }
  | { readonly kind: 'reused'; readonly reuse: ReuseClass };

/** Used tokens of a session that are kept, so that their reuse is noticed; older ones are deleted. */
export const MOST_USED = 100;

/** Retries with an idempotency key of a session in that time; many tabs may share a token and its key. */
const MOST_PROVEN_RETRIES = 100;

/**
 * Whether a token whose session has ended was used before by someone else: its successor was presented
 * too, or its grace is over and the caller does not prove to be the same client (S17).
 */
export function isReuse(
  presented: RefreshRow,
  successors: readonly RefreshRow[],
  retryDigest: string | undefined,
  now: number,
): boolean {
  if (presented.replacedAt === null) return false;
  const next = successors.find(({ number }) => number === presented.number + 1);
  // One that was used up by a logout has no successor.
  if (next === undefined) return false;
  if (next.replacedAt !== null) return !isReplay(presented, next, retryDigest);
  return !isProven(presented, retryDigest) && !isInGrace(presented, now);
}

/**
 * RT-04, RT-06: within its grace a token gives the same successor again to any caller, after that only to
 * the client that proves to be the one which came first. From any other caller it counts as stolen.
 */
export function* retry(
  { statements }: StoredSessions,
  { session, refresh: presented, judgement: { now } }: PresentedToken,
  successors: readonly RefreshRow[],
  retryDigest: string | undefined,
  options: Pick<ResolvedAuthOptions, 'accessTokenTtl' | 'refreshGraceRetries'>,
): Transaction<RetryOutcome> {
  const newest = Math.max(...successors.map(({ number }) => number), presented.number);
  // Others as old are deleted already, and must get the same answer (S7).
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

/** The client that used the token first sends it again, and no one else can have used its successor. */
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
 * An old request that is delivered again, after its client has continued: the successor was only ever
 * given to a caller that proved to be this client, and was used by one that sends such keys too.
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
 * Until when one more proven retry counts, and how long until it is allowed (ms): each takes its share of
 * `span`, and all of them together no more than that. So one number says how many there were.
 */
function nextRetry(
  { retriesUntil }: SessionRow,
  now: number,
  span: number,
): { readonly until: number; readonly wait: number } {
  // What is further ahead was written before the database's clock was set back, or for a longer span.
  const counted = retriesUntil !== null && retriesUntil <= now + span ? retriesUntil : now;
  const until = Math.max(counted, now) + Math.ceil(span / MOST_PROVEN_RETRIES);
  return { until, wait: until - now - span };
}

export function classOf(steps: number): ReuseClass {
  if (steps <= 1) return 'recent';
  return steps === 2 ? 'orphaned' : 'stale';
}
