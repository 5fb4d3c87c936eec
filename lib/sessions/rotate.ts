import type { RevocationReason } from '../database/entities/revocation-event.entity.js';
import {
  newRefreshRow,
  refreshOf,
  type RefreshRow,
  type RetryProof,
  sessionOf,
  type SessionRow,
} from '../database/session.statements.js';
import type { Transaction } from '../database/statement.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { endOf, type Judgement, refusalOf, type StoredSessions } from './session-store.service.js';

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

/** What became of a refresh; everything but `refreshed` and `retried` has changed nothing. */
export type RefreshOutcome =
  | { readonly kind: 'refreshed'; readonly refresh: RefreshRow }
  | {
      readonly kind: 'retried';
      /** The row of the successor that the first answer carried. */
      readonly refresh: RefreshRow;
      readonly sealed: string;
      /** Whether it is sealed under the idempotency key too. */
      readonly isProven: boolean;
    }
  | { readonly kind: 'unknown' | 'expired' | 'locked' | 'disabled' }
  /** A cut-off is above the position that was read: start again from that read (G1). */
  | { readonly kind: 'superseded' }
  /** Too many rotations or retries were made; how long until one more is allowed (ms). */
  | { readonly kind: 'too many'; readonly wait: number }
  | {
      readonly kind: 'ended';
      readonly reason: RevocationReason;
      /** Whether someone else had used the token. */
      readonly isReused: boolean;
    }
  | { readonly kind: 'reused'; readonly reuse: ReuseClass };

/** Used tokens of a session that are kept, so that their reuse is noticed; older ones are deleted. */
const MOST_USED = 100;

/** Rotations of a session in the lifetime of one access token; a client needs one. */
const MOST_ROTATIONS = 20;

/** Retries with an idempotency key of a session in that time; many tabs may share a token and its key. */
const MOST_PROVEN_RETRIES = 100;

/** A refresh that is about to be made: what is known before the lock of the session is taken. */
export interface Rotation {
  /** Of the presented token. */
  readonly digest: string;
  readonly successorDigest: string;
  /** The position that was read before the claims were asked for (G1). */
  readonly since: number;
  /** The successor under the key of its predecessor; `null` without a grace. */
  readonly sealed: string | null;
  /** What identifies a later retry; `null` for a client that sent no idempotency key. */
  readonly proof: RetryProof | null;
  /** When, from where and with which key the session was last seen; its owner sees it in the list. */
  readonly sighting: Pick<SessionRow, 'kid' | 'ip' | 'userAgent'>;
  /** Why this instance knows that the session ended: the database may have lost it (H1). */
  readonly knownEnd: RevocationReason | undefined;
}

/** The options that a rotation depends on. */
type RotationOptions = Pick<
  ResolvedAuthOptions,
  'accessTokenTtl' | 'refreshGrace' | 'refreshGraceRetries' | 'refreshTokenTtl' | 'sessionIdleTtl'
>;

/**
 * Replaces a refresh token, or finds out why not: RT-03 to RT-09 of docs/requirements.md. Run again after
 * a lost answer to COMMIT it finds what it did and gives the same outcome; only a retry is counted once
 * more.
 *
 * Everything that decides is read after the lock. A logout takes the same lock, so it is either seen here
 * or waits until this has committed (RT-08).
 */
export function* rotate(
  of: StoredSessions,
  { key, subjectKey }: SessionRow,
  rotation: Rotation,
  options: RotationOptions,
): Transaction<RefreshOutcome> {
  const { digest, successorDigest, since, sealed, proof } = rotation;
  const { statements } = of;
  const { rows: locked } = yield statements.lockSession(key);
  const { rows } = yield statements.findRotation(key, digest, successorDigest, MOST_ROTATIONS);
  const refreshes = rows.map(refreshOf);
  const presented = refreshes.find((row) => row.digest === digest);
  if (locked[0] === undefined || presented === undefined) return { kind: 'unknown' };
  const session = sessionOf(locked[0]);
  const judgement = yield* of.judge(subjectKey);
  const { now } = judgement;

  // A locked account comes first: its owner should read that it is locked, not that the session has ended.
  const refusal = refusalOf(judgement);
  if (refusal !== undefined) return { kind: refusal };
  const reason = endOf(session, judgement) ?? rotation.knownEnd;
  if (reason !== undefined) {
    const isReused = yield* isReuse(of, presented, proof?.digest, now);
    return { kind: 'ended', reason, isReused };
  }
  if (now >= session.expiresAt) return { kind: 'expired' };
  // An earlier attempt of this call has committed, and its answer was lost.
  const own = refreshes.find((row) => row.digest === successorDigest);
  if (own !== undefined) return { kind: 'refreshed', refresh: own };
  if (newestCutoff(judgement) > since) return { kind: 'superseded' };
  if (presented.replacedAt !== null) {
    return yield* retry(of, session, presented, proof?.digest, now, options);
  }
  // Only now: a token that was used and has expired since is judged as a reuse.
  if (now >= presented.expiresAt) return { kind: 'expired' };
  const wait = waitOf(refreshes, presented.number - MOST_ROTATIONS, now - options.accessTokenTtl);
  if (wait > 0) return { kind: 'too many', wait };

  // The idle time starts anew, the absolute end of the session stays (RT-09).
  const life = Math.min(options.refreshTokenTtl, options.sessionIdleTtl);
  const expiresAt = Math.min(now + life, session.expiresAt);
  const graceUntil = sealed === null ? null : now + options.refreshGrace;
  const { affected } = yield statements.replace(presented.digest, {
    replacedAt: now,
    graceUntil,
    sealedSuccessor: sealed,
    retryDigest: proof?.digest ?? null,
    retrySealed: proof?.sealed ?? null,
  });
  if (affected !== 1) throw new Error('A refresh token was replaced under the session’s lock.');
  const refresh = newRefreshRow(successorDigest, key, presented.number + 1, expiresAt);
  yield statements.insertRefresh(refresh);
  yield statements.see(key, { ...rotation.sighting, lastSeenAt: now, idleUntil: expiresAt });
  yield statements.forgetSuccessors(key, now);
  // S7: one row goes for each that comes; those of an earlier release in small portions.
  const tooOld = presented.number - MOST_USED;
  if (tooOld > 0) yield statements.forgetUsed(key, tooOld);
  return { kind: 'refreshed', refresh };
}

/**
 * Whether a token whose session has ended was used before by someone else: its successor was presented
 * too, or its grace is over and the caller does not prove to be the same client (S17).
 */
export function* isReuseAfterEnd(
  of: StoredSessions,
  digest: string,
  retryDigest: string | undefined,
): Transaction<boolean> {
  const { rows } = yield of.statements.findRefresh(digest);
  if (rows[0] === undefined) return false;
  return yield* isReuse(of, refreshOf(rows[0]), retryDigest, yield* of.readNow());
}

function* isReuse(
  of: StoredSessions,
  presented: RefreshRow,
  retryDigest: string | undefined,
  now: number,
): Transaction<boolean> {
  if (presented.replacedAt === null) return false;
  const { rows } = yield of.statements.successors(presented.sessionKey, presented.number);
  const next = rows.map(refreshOf).find(({ number }) => number === presented.number + 1);
  // One that was used up by a logout has no successor.
  if (next === undefined) return false;
  if (next.replacedAt !== null) return !isReplay(presented, next, retryDigest);
  return !isProven(presented, retryDigest) && !isInGrace(presented, now);
}

/**
 * RT-04, RT-06: within its grace a token gives the same successor again to any caller, after that only to
 * the client that proves to be the one which came first. From any other caller it counts as stolen.
 */
function* retry(
  of: StoredSessions,
  session: SessionRow,
  presented: RefreshRow,
  retryDigest: string | undefined,
  now: number,
  { accessTokenTtl, refreshGraceRetries }: RotationOptions,
): Transaction<RefreshOutcome> {
  const { rows } = yield of.statements.successors(presented.sessionKey, presented.number);
  const successors = rows.map(refreshOf);
  const newest = Math.max(...successors.map(({ number }) => number), presented.number);
  // Others as old are deleted already, and must get the same answer (S7).
  if (newest - presented.number > MOST_USED) return { kind: 'unknown' };
  const next = successors.find(({ number }) => number === presented.number + 1);
  const { retrySealed, sealedSuccessor } = presented;
  if (next !== undefined && retrySealed !== null && isSameClient(presented, next, retryDigest)) {
    if (now >= presented.expiresAt) return { kind: 'expired' };
    const due = nextRetry(session, now, accessTokenTtl);
    if (due.wait > 0) return { kind: 'too many', wait: due.wait };
    yield of.statements.countProvenRetry(session.key, { retriesUntil: due.until });
    return { kind: 'retried', refresh: next, sealed: retrySealed, isProven: true };
  }
  if (next !== undefined && sealedSuccessor !== null && isInGrace(presented, now)) {
    if (presented.retries < refreshGraceRetries) {
      yield of.statements.countRetry(presented.digest);
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

/** How long until one more rotation is allowed (ms), by when the one so many before was made. */
function waitOf(refreshes: readonly RefreshRow[], number: number, after: number): number {
  const before = refreshes.find((row) => row.number === number)?.replacedAt ?? after;
  return before - after;
}

function newestCutoff({ account, issuer }: Judgement): number {
  return Math.max(account.killsBelow, issuer.killsBelow);
}

function classOf(steps: number): ReuseClass {
  if (steps <= 1) return 'recent';
  return steps === 2 ? 'orphaned' : 'stale';
}
