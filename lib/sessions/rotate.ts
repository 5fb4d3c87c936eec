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
import { isReuse, MOST_USED, retry, type RetryOutcome } from './reuse.js';
import {
  accessTtlOf,
  endOf,
  refusalOf,
  type SessionWrite,
  type StoredSessions,
  type WriteAtOnce,
} from './session-store.service.js';

/** What became of a refresh; everything but `refreshed` and `retried` has changed nothing. */
export type RefreshOutcome =
  | RetryOutcome
  | { readonly kind: 'refreshed'; readonly refresh: RefreshRow }
  | { readonly kind: 'locked' | 'disabled' }
  /** A cut-off is above the position that was read: start again from that read (G1). */
  | { readonly kind: 'superseded' }
  | {
      readonly kind: 'ended';
      readonly reason: RevocationReason;
      /** Whether someone else had used the token. */
      readonly isReused: boolean;
    };

/** A refresh that is about to be made: what is known before the lock of the session is taken. */
interface Rotation {
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
type RotationOptions = Pick<
  ResolvedAuthOptions,
  'accessTokenTtl' | 'refreshGrace' | 'refreshGraceRetries' | 'refreshTokenTtl' | 'sessionIdleTtl'
>;

/** By how much the database's time may differ from what was computed of it (ms): a process may be paused. */
const MOST_DRIFT = 1_000;

/**
 * A rotation that is written without a second look, if what was read before the claims still holds: the
 * session goes on, its token was not replaced, and no lock and no cut-off of its account ends it. In every
 * other case {@link rotate} decides under the lock.
 *
 * @param now - The database's time, as counted on from a read of it.
 */
export function rotationOf(
  seen: PresentedToken,
  rotation: Rotation,
  options: RotationOptions,
  now: number,
): SessionWrite<RefreshOutcome> {
  const presented = { ...seen, judgement: { ...seen.judgement, now } };
  return {
    steps: (of) => rotate(of, seen.session.key, rotation, options),
    atOnce(of) {
      const isUsed = presented.refresh.replacedAt !== null;
      if (isUsed || decide(presented, [], rotation, options) !== undefined) return undefined;
      return atOnce(of, presented, rotation, options);
    },
  };
}

function atOnce(
  of: StoredSessions,
  presented: PresentedToken,
  rotation: Rotation,
  options: RotationOptions,
): WriteAtOnce<RefreshOutcome> {
  const { key, subjectKey } = presented.session;
  const { now } = presented.judgement;
  const { successor, replace, ...more } = replacement(of.statements, presented, rotation, options);
  const given = of.once.sessionGoesOn(
    key,
    subjectKey,
    of.issuerKey,
    rotation.since,
    of.testTime(),
    now - MOST_DRIFT,
    now + MOST_DRIFT,
  );
  return {
    name: 'refresh',
    lock: of.statements.lockSession(key),
    given,
    change: replace,
    ...more,
    outcome: { kind: 'refreshed', refresh: successor },
  };
}

/**
 * Replaces a refresh token, or finds out why not: RT-03 to RT-09 of docs/requirements.md. Run again after
 * a lost answer to COMMIT it finds what it did and gives the same outcome; only a retry is counted once
 * more.
 *
 * Everything that decides is read after the lock. A logout takes the same lock, so it is either seen here
 * or waits until this has committed (RT-08).
 */
function* rotate(
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
function decide(
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
function replacement(
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

/** No later cut-off has a lower position. */
export function newestCutoff({ account, issuer }: Judgement): number {
  return Math.max(account.killsBelow, issuer.killsBelow);
}
