import type { AccountRow } from '../database/account.statements.js';
import type { RevocationReason } from '../database/entities/revocation-event.entity.js';
import {
  newRefreshRow,
  refreshOf,
  type RefreshRow,
  type RetryProof,
  sessionOf,
  type SessionRow,
  type SessionSighting,
} from '../database/session.statements.js';
import type { Transaction } from '../database/statement.js';
import { endOf, refusalOf, type SessionTransactions } from './session.transactions.js';

/**
 * What a refresh token that was used before says about who uses it again.
 *
 * - `recent`: its successor was not used yet. The client may have lost the answer, or a thief came
 *   first: both look the same.
 * - `orphaned`: its successor was used, but nothing after that: two clients share one login.
 * - `stale`: the login has gone on for longer without it; only a thief or a restored backup
 *   still has it.
 *
 * - `after_end`: the session had ended already; its end may have been a thief's own logout.
 *
 * The first three end the session: the classes are for reports, not for mercy.
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
  /** Somebody's mark lies above the position that was read: begin again from that read (G1). */
  | { readonly kind: 'superseded' }
  /** So many rotations or retries were made; how long until one more is allowed (ms). */
  | { readonly kind: 'too many'; readonly wait: number }
  | {
      readonly kind: 'ended';
      readonly reason: RevocationReason;
      /** Whether the token had been used by somebody else. */
      readonly isReused: boolean;
    }
  | { readonly kind: 'reused'; readonly reuse: ReuseClass };

/** What became of a login; `dead`: a mark of the account lies above its position (G1). */
export type LoginOutcome =
  /** `surplus`: the ids of the sessions beyond the limit. */
  | { readonly kind: 'begun'; readonly surplus: readonly string[] }
  | { readonly kind: 'locked' | 'disabled' | 'dead' };

/** Used tokens of a session that are kept, so that their reuse is noticed; older ones are deleted. */
const MOST_USED = 100;

/** Rotations of a session in the life of one access token; a client needs one. */
const MOST_ROTATIONS = 20;

/** Retries of a session in that time which prove to be retries; many tabs may share a token and its key. */
const MOST_PROVEN_RETRIES = 100;

/** A refresh that is about to be made. */
export interface Rotation {
  readonly digest: string;
  readonly sessionKey: string;
  readonly subjectKey: string;
  readonly issuerKey: string;
  /** The position that was read before the claims were asked for (G1). */
  readonly since: number;
  readonly successorDigest: string;
  /** The successor under the key of its predecessor; `null` without a grace. */
  readonly sealed: string | null;
  readonly grace: number;
  readonly retries: number;
  /** By what a later retry is recognised; `null` for a client that sent no idempotency key. */
  readonly proof: RetryProof | null;
  /** In which time rotations and proven retries are counted: the life of an access token (ms). */
  readonly rateSpan: number;
  /** From now until the successor ends, were the session endless (ms). */
  readonly life: number;
  readonly sighting: Omit<SessionSighting, 'at' | 'idleUntil'>;
  /** Why the login is over, as far as this instance knows: the database may have lost it (H1). */
  readonly knownEnd: RevocationReason | undefined;
}

/**
 * Replaces a refresh token, or finds out why not. Run again after a lost answer to COMMIT it finds
 * what it did and gives the same outcome; only a retry is counted once more.
 */
export function* rotate(of: SessionTransactions, rotation: Rotation): Transaction<RefreshOutcome> {
  const { digest, sessionKey, subjectKey, issuerKey, since, successorDigest, proof } = rotation;
  const { statements } = of;
  const { rows: locked } = yield statements.lockSession(sessionKey);
  const { rows } = yield statements.findRotation(
    sessionKey,
    digest,
    successorDigest,
    MOST_ROTATIONS,
  );
  const refreshes = rows.map(refreshOf);
  const presented = refreshes.find((row) => row.digest === digest);
  if (locked[0] === undefined || presented === undefined) return { kind: 'unknown' };
  const session = sessionOf(locked[0]);
  const { account, issuer, now } = yield* of.readAccounts(subjectKey, issuerKey);

  const refusal = refusalOf(account, now);
  if (refusal !== undefined) return { kind: refusal };
  const reason = endOf(session, account, issuer) ?? rotation.knownEnd;
  if (reason !== undefined) {
    const isReused = yield* isReuse(of, presented, proof?.digest, now);
    return { kind: 'ended', reason, isReused };
  }
  if (now >= session.expiresAt) return { kind: 'expired' };
  const own = refreshes.find((row) => row.digest === successorDigest);
  if (own !== undefined) return { kind: 'refreshed', refresh: own };
  if (newestMark(account, issuer) > since) return { kind: 'superseded' };
  if (presented.replacedAt !== null) return yield* retry(of, rotation, session, presented, now);
  if (now >= presented.expiresAt) return { kind: 'expired' };
  const wait = waitOf(refreshes, presented.number - MOST_ROTATIONS, now - rotation.rateSpan);
  if (wait > 0) return { kind: 'too many', wait };

  const expiresAt = Math.min(now + rotation.life, session.expiresAt);
  const graceUntil = rotation.sealed === null ? null : now + rotation.grace;
  const { affected } = yield statements.replace(presented.digest, {
    replacedAt: now,
    graceUntil,
    sealedSuccessor: rotation.sealed,
    proof,
  });
  if (affected !== 1) throw new Error('A refresh token was replaced under the session’s lock.');
  const refresh = newRefreshRow(successorDigest, sessionKey, presented.number + 1, expiresAt);
  yield statements.insertRefresh(refresh);
  yield statements.see(sessionKey, { ...rotation.sighting, at: now, idleUntil: expiresAt });
  yield statements.forgetSuccessors(sessionKey, now);
  const tooOld = presented.number - MOST_USED;
  if (tooOld > 0) yield statements.forgetUsed(sessionKey, tooOld);
  return { kind: 'refreshed', refresh };
}

/**
 * Whether a token whose login is over was used before by somebody else: its successor was presented
 * too, or its grace is over and this one does not prove that it comes from the same client (S17).
 */
export function* isReuseAfterEnd(
  of: SessionTransactions,
  digest: string,
  retryDigest: string | undefined,
): Transaction<boolean> {
  const { rows } = yield of.statements.findRefresh([digest]);
  if (rows[0] === undefined) return false;
  return yield* isReuse(of, refreshOf(rows[0]), retryDigest, yield* of.readNow());
}

function* isReuse(
  of: SessionTransactions,
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
 * RT-04, RT-06: within its grace a token gives the same successor again to anybody, after that to the
 * client that proves to be the one which came first; to anybody else it is stolen.
 */
function* retry(
  of: SessionTransactions,
  { digest, retries, proof, rateSpan }: Rotation,
  session: SessionRow,
  presented: RefreshRow,
  now: number,
): Transaction<RefreshOutcome> {
  const { rows } = yield of.statements.successors(presented.sessionKey, presented.number);
  const successors = rows.map(refreshOf);
  const newest = Math.max(...successors.map(({ number }) => number), presented.number);
  // Others as old are deleted, and what is left of them is judged alike.
  if (newest - presented.number > MOST_USED) return { kind: 'unknown' };
  const next = successors.find(({ number }) => number === presented.number + 1);
  const { retrySealed, sealedSuccessor } = presented;
  if (next !== undefined && retrySealed !== null && isSameClient(presented, next, proof?.digest)) {
    if (now >= presented.expiresAt) return { kind: 'expired' };
    const due = nextRetry(session, now, rateSpan);
    if (due.wait > 0) return { kind: 'too many', wait: due.wait };
    yield of.statements.countProvenRetry(session.key, due.until);
    return { kind: 'retried', refresh: next, sealed: retrySealed, isProven: true };
  }
  if (next !== undefined && sealedSuccessor !== null && isInGrace(presented, now)) {
    if (presented.retries < retries) {
      yield of.statements.countRetry(digest);
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
 * An old request that is delivered again, after its client has gone on: the successor was only ever
 * given to who proved to be this client, and was used by somebody who proves such things too.
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

function newestMark(account: AccountRow, issuer: AccountRow): number {
  return Math.max(account.killsBelow, issuer.killsBelow);
}

function classOf(steps: number): ReuseClass {
  if (steps <= 1) return 'recent';
  return steps === 2 ? 'orphaned' : 'stale';
}
