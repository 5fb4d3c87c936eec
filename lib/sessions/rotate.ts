import { type BoundRow, boundRowOf, isForeignKey } from '../binding/bound-client.js';
import { type AllOrNothing, writeEach } from '../database/at-once.statements.js';
import type { RevocationReason } from '../database/entities/revocation-event.entity.js';
import {
  newRefreshRow,
  type PresentedToken,
  refreshOf,
  type RefreshRow,
  type RetryProof,
  type SessionRow,
} from '../database/session.statements.js';
import type { Judgement } from '../database/account.statements.js';
import type { Statement, Transaction } from '../database/statement.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { accessTtlOf, endOf, refusalOf, type StoredSessions } from './session-store.service.js';

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
  /** What its client showed; `undefined` where nothing is bound. */
  readonly bound: BoundRow | undefined;
  /** Why this instance knows that the session ended: the database may have lost it (H1). */
  readonly knownEnd: RevocationReason | undefined;
}

/** The options that a rotation depends on. */
export type RotationOptions = Pick<
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
  key: string,
  rotation: Rotation,
  options: RotationOptions,
): Transaction<RefreshOutcome> {
  const { statements, dialect } = of;
  // Where one writer excludes all others there is no row to lock.
  if (dialect.forUpdate !== '') yield statements.lockSession(key);
  // In a statement of its own, after the lock: what was read before may be old by then.
  const presented = yield* of.present(rotation.digest);
  if (presented === undefined) return { kind: 'unknown' };
  const { refresh } = presented;
  const isUsed = refresh.replacedAt !== null;
  const found = isUsed ? (yield statements.successors(key, refresh.number)).rows : [];
  const successors = found.map(refreshOf);
  const decided = decide(presented, successors, rotation, options);
  if (decided !== undefined) return decided;
  if (isUsed) return yield* retry(of, presented, successors, rotation.proof?.digest, options);
  const { successor, replace, others, sweeps } = replacement(
    statements,
    presented,
    rotation,
    options,
  );
  const { affected } = yield replace;
  if (affected !== 1) throw new Error('A refresh token was replaced under the session’s lock.');
  yield* writeEach(others);
  for (const statement of sweeps) yield statement;
  return { kind: 'refreshed', refresh: successor };
}

/** What becomes of a refresh that changes nothing; `undefined` for one that replaces the token or retries. */
export function decide(
  { session, refresh, judgement, replacedBefore }: PresentedToken,
  successors: readonly RefreshRow[],
  { since, successorDigest, proof, knownEnd, bound }: Rotation,
  options: RotationOptions,
): RefreshOutcome | undefined {
  const { now } = judgement;
  // A locked account comes first: its owner should read that it is locked, not that the session has ended.
  const refusal = refusalOf(judgement);
  if (refusal !== undefined) return { kind: refusal };
  if (bound && isForeignKey(session, bound)) return { kind: 'unknown' };
  const reason = endOf(session, judgement) ?? knownEnd;
  if (reason !== undefined) {
    const isReused = isReuse(refresh, successors, proof?.digest, now);
    return { kind: 'ended', reason, isReused };
  }
  if (now >= session.expiresAt) return { kind: 'expired' };
  // An earlier attempt of this call has committed, and its answer was lost.
  const own = successors.find(({ digest }) => digest === successorDigest);
  if (own !== undefined) return { kind: 'refreshed', refresh: own };
  if (newestCutoff(judgement) > since) return { kind: 'superseded' };
  if (refresh.replacedAt !== null) return undefined;
  // Only now: a token that was used and has expired since is judged as a reuse.
  if (now >= refresh.expiresAt) return { kind: 'expired' };
  const after = now - accessTtlOf(session, options);
  const wait = (replacedBefore ?? after) - after;
  return wait > 0 ? { kind: 'too many', wait } : undefined;
}

/** The successor of a token, and the statements that put it in its place. */
export function replacement(
  statements: StoredSessions['statements'],
  { session, refresh, judgement: { now } }: PresentedToken,
  { digest, successorDigest, sealed, proof, sighting, bound }: Rotation,
  options: RotationOptions,
): {
  readonly successor: RefreshRow;
  /** The one that changes a row only if no other caller was first (RT-03). */
  readonly replace: Statement;
} & Pick<AllOrNothing, 'others' | 'sweeps'> {
  const { key } = session;
  // The idle time starts anew, the absolute end of the session stays (RT-09).
  const life = session.idleTtl ?? Math.min(options.refreshTokenTtl, options.sessionIdleTtl);
  const expiresAt = Math.min(now + life, session.expiresAt);
  const successor = newRefreshRow(successorDigest, key, refresh.number + 1, expiresAt);
  const replace = statements.replace(digest, {
    replacedAt: now,
    graceUntil: sealed === null ? null : now + options.refreshGrace,
    sealedSuccessor: sealed,
    retryDigest: proof?.digest ?? null,
    retrySealed: proof?.sealed ?? null,
  });
  const { jkt, network } = bound === undefined ? session : boundRowOf(session, bound);
  const others = [
    statements.insertRefresh(successor),
    statements.see(key, { ...sighting, jkt, network, lastSeenAt: now, idleUntil: expiresAt }),
  ];
  const sweeps = [statements.forgetSuccessors(key, now)];
  // S7: one row goes for each that comes; those of an earlier release in small portions.
  const tooOld = refresh.number - MOST_USED;
  if (tooOld > 0) sweeps.push(statements.forgetUsed(key, tooOld));
  return { successor, replace, others, sweeps };
}

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
function* retry(
  { statements }: StoredSessions,
  { session, refresh: presented, judgement: { now } }: PresentedToken,
  successors: readonly RefreshRow[],
  retryDigest: string | undefined,
  options: RotationOptions,
): Transaction<RefreshOutcome> {
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

/** No later cut-off has a lower position. */
export function newestCutoff({ account, issuer }: Judgement): number {
  return Math.max(account.killsBelow, issuer.killsBelow);
}

export function classOf(steps: number): ReuseClass {
  if (steps <= 1) return 'recent';
  return steps === 2 ? 'orphaned' : 'stale';
}
