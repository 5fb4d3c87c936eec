import type { RevocationKind } from '../database/entities/revocation-event.entity.js';
import { type AuthException, refusal } from '../errors/auth.exception.js';
import type { AuthErrorCode } from '../errors/error-codes.js';
import type { RevokedVerdict } from './index/revoked-verdict.js';

/**
 * Why a token was accepted without a proof that is fresh enough: by the policy `'open'` or `{
 * staleFor }`, by an override, or because revocations are only observed.
 */
export type Leniency = 'open' | 'stale_for' | 'override' | 'observe';

/** The token is accepted: by a proof that is fresh enough, or by a policy. */
export interface ActiveVerdict {
  readonly state: 'active';
  /** Why it was accepted without a fresh proof; absent if there was one. */
  readonly leniency?: Leniency | undefined;
}

/**
 * This instance cannot prove that it is fresh. Answer 503: a 401 would log the user out, and
 * accepting could let a revoked token in.
 */
export interface UnknownVerdict {
  readonly state: 'unknown';
  /** Seconds after which a retry makes sense. */
  readonly retryAfter: number;
}

/**
 * The `gen` of the token is beyond every position that this log has ever assigned, so the token is
 * of another log.
 */
export interface InvalidVerdict {
  readonly state: 'invalid';
}

/** The result of {@link RevocationService.decide}. Switch over `state`. */
export type Verdict = ActiveVerdict | RevokedVerdict | UnknownVerdict | InvalidVerdict;

/** The plain acceptance. One shared object, so that the guard allocates nothing per request. */
export const ACTIVE: ActiveVerdict = Object.freeze({ state: 'active' });

/** Acceptances without a fresh proof, by their reason. */
export const LENIENT: Readonly<Record<Leniency, ActiveVerdict>> = Object.freeze({
  open: Object.freeze({ state: 'active', leniency: 'open' }),
  stale_for: Object.freeze({ state: 'active', leniency: 'stale_for' }),
  override: Object.freeze({ state: 'active', leniency: 'override' }),
  observe: Object.freeze({ state: 'active', leniency: 'observe' }),
});

/** The verdict about a token of another installation that shares our secret. */
export const INVALID: InvalidVerdict = Object.freeze({ state: 'invalid' });

const CODE_OF_KIND: Readonly<Record<RevocationKind, AuthErrorCode>> = {
  token: 'token_revoked',
  session: 'session_ended',
  subject: 'session_ended',
  key: 'key_revoked',
  issuer: 'token_revoked',
};

/** The error code of a refusal. */
export function codeOf(verdict: Exclude<Verdict, ActiveVerdict>): AuthErrorCode {
  if (verdict.state === 'unknown') return 'revocation_state_unknown';
  if (verdict.state === 'invalid') return 'token_invalid';
  return verdict.reason === 'account_locked' || verdict.reason === 'account_disabled'
    ? verdict.reason
    : CODE_OF_KIND[verdict.kind];
}

/** The exception that a guard or {@link RevocationService.assertActive} throws for a verdict. */
export function exceptionOf(verdict: Exclude<Verdict, ActiveVerdict>): AuthException {
  const code = codeOf(verdict);
  if (verdict.state === 'unknown') return refusal(code, { retryAfter: verdict.retryAfter });
  if (verdict.state === 'invalid') {
    return refusal(code, { message: 'The token is from another installation.' });
  }
  return refusal(code, { reason: verdict.reason });
}

/** @throws AuthException the refusal, if the verdict is not an acceptance. */
export function assertActive(verdict: Verdict): asserts verdict is ActiveVerdict {
  if (verdict.state !== 'active') throw exceptionOf(verdict);
}
