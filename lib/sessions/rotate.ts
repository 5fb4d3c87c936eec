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

/** The outcome of a refresh. All kinds except `refreshed` and `retried` have changed nothing. */
export type RefreshOutcome =
  | RetryOutcome
  | { readonly kind: 'refreshed'; readonly refresh: RefreshRow }
  | { readonly kind: 'locked' | 'disabled' }
  /**
   * The account has a cut-off above the position that was read. Start again with a new position
   * (G1).
   */
  | { readonly kind: 'superseded' }
  | {
      readonly kind: 'ended';
      readonly reason: RevocationReason;
      /** Whether someone else had used the token before. */
      readonly isReused: boolean;
    };

/** The input of a refresh: what is known before the session is locked. */
interface Rotation {
  /** The digest of the presented token. */
  readonly digest: string;
  readonly successorDigest: string;
  /** The position that was read before the claims were loaded (G1). */
  readonly since: number;
  /** The successor, encrypted with its predecessor; `null` without a grace. */
  readonly sealed: string | null;
  /** What identifies a later retry; `null` if the client sent no idempotency key. */
  readonly proof: RetryProof | null;
  /** From where and with which key the session was last seen, for the list of sessions. */
  readonly sighting: Pick<SessionRow, 'kid' | 'ip' | 'userAgent'>;
  /** What the client is bound to; `undefined` if nothing is bound. */
  readonly bound: BoundRow | undefined;
  /**
   * Why the session was revoked, as far as this instance knows. The database may have lost that
   * event (H1).
   */
  readonly knownEnd: RevocationReason | undefined;
}

/** The options that a rotation depends on. */
type RotationOptions = Pick<
  ResolvedAuthOptions,
  'accessTokenTtl' | 'refreshGrace' | 'refreshGraceRetries' | 'refreshTokenTtl' | 'sessionIdleTtl'
>;

/**
 * How much the database's time may differ from the time that was computed here (ms), because the
 * process may have been paused.
 */
const MOST_DRIFT = 1_000;

/**
 * A rotation that is written without a second read, if what was read before the claims still holds:
 * the session is open, its token was not replaced, and its account has no lock and no new cut-off.
 * In every other case {@link rotate} decides under the lock.
 *
 * @param now - The database's time (epoch ms), advanced from the last read.
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
 * Replaces a refresh token, or finds out why it cannot be replaced: RT-03 to RT-09 of
 * docs/requirements.md. If it runs again after a lost answer to COMMIT, it finds its own work and
 * returns the same outcome. Only a retry is counted once more.
 *
 * Everything that it decides by is read after the lock. A logout takes the same lock, so it is
 * either seen here or waits until this transaction has committed (RT-08).
 */
function* rotate(
  of: StoredSessions,
  key: string,
  rotation: Rotation,
  options: RotationOptions,
): Transaction<RefreshOutcome> {
  const { statements, dialect } = of;
  // On SQLite one writer excludes all others, so there is no row lock.
  if (dialect.forUpdate !== '') yield statements.lockSession(key);
  // This read follows the lock in a statement of its own, because anything read before it may be
  // outdated.
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

/**
 * The outcome of a refresh that changes nothing; `undefined` if the token can be replaced or is a
 * retry.
 */
function decide(
  { session, refresh, judgement, replacedBefore }: PresentedToken,
  successors: readonly RefreshRow[],
  { since, successorDigest, proof, knownEnd, bound }: Rotation,
  options: RotationOptions,
): RefreshOutcome | undefined {
  const { now } = judgement;
  // A locked account is checked first: its owner should learn that it is locked, not that the
  // session has ended.
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
  // Expiry is checked after that, because a used token that has expired since is handled as a
  // reuse.
  if (now >= refresh.expiresAt) return { kind: 'expired' };
  const after = now - accessTtlOf(session, options);
  const wait = (replacedBefore ?? after) - after;
  return wait > 0 ? { kind: 'too many', wait } : undefined;
}

/** The successor of a token, and the statements that store it. */
function replacement(
  statements: StoredSessions['statements'],
  { session, refresh, judgement: { now } }: PresentedToken,
  { digest, successorDigest, sealed, proof, sighting, bound }: Rotation,
  options: RotationOptions,
): {
  readonly successor: RefreshRow;
  /** Changes a row only if no other caller was first (RT-03). */
  readonly replace: Statement;
} & Pick<AllOrNothing, 'others' | 'sweeps'> {
  const { key } = session;
  // The idle time starts again. The absolute end of the session does not change (RT-09).
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
  // Each refresh deletes about as many old rows as it adds, so a session never has many. Rows of an
  // earlier release are deleted in small portions (S7).
  const tooOld = refresh.number - MOST_USED;
  if (tooOld > 0) sweeps.push(statements.forgetUsed(key, tooOld));
  return { successor, replace, others, sweeps };
}

/** The position of the newest cut-off of the account and its issuer. */
export function newestCutoff({ account, issuer }: Judgement): number {
  return Math.max(account.killsBelow, issuer.killsBelow);
}
