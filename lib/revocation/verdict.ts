import type { RevocationKind } from '../database/entities/revocation-event.entity.js';
import { type AuthException, refusal } from '../errors/auth.exception.js';
import type { AuthErrorCode } from '../errors/error-codes.js';
import type { RevokedVerdict } from './index/revoked-verdict.js';

/**
 * Why a token passed without a proof that is fresh enough: by the policy `'open'` or `{ staleFor }`, by
 * an override, or because revocations are only observed.
 */
export type Leniency = 'open' | 'stale_for' | 'override' | 'observe';

/** The token is good, and a proof that is fresh enough says so, or a policy lets it pass. */
export interface ActiveVerdict {
  readonly state: 'active';
  /** Absent where a proof says so. */
  readonly leniency?: Leniency | undefined;
}

/** This instance cannot prove that it is fresh: 503, never 401, never a pass. */
export interface UnknownVerdict {
  readonly state: 'unknown';
  /** Seconds after which a retry makes sense. */
  readonly retryAfter: number;
}

/** Its position lies beyond everything that this log has ever numbered: another log's token. */
export interface InvalidVerdict {
  readonly state: 'invalid';
}

/** The answer to the one question about a token's claims. */
export type Verdict = ActiveVerdict | RevokedVerdict | UnknownVerdict | InvalidVerdict;

/** The one good answer, shared so that accepting allocates nothing. */
export const ACTIVE: ActiveVerdict = Object.freeze({ state: 'active' });

/** The answers that accept without a fresh proof, by their reason. */
export const LENIENT: Readonly<Record<Leniency, ActiveVerdict>> = Object.freeze({
  open: Object.freeze({ state: 'active', leniency: 'open' }),
  stale_for: Object.freeze({ state: 'active', leniency: 'stale_for' }),
  override: Object.freeze({ state: 'active', leniency: 'override' }),
  observe: Object.freeze({ state: 'active', leniency: 'observe' }),
});

/** The verdict about a token of another installation that has our secret. */
export const INVALID: InvalidVerdict = Object.freeze({ state: 'invalid' });

const CODE_OF_KIND: Readonly<Record<RevocationKind, AuthErrorCode>> = {
  token: 'token_revoked',
  session: 'session_ended',
  subject: 'session_ended',
  key: 'key_revoked',
  issuer: 'token_revoked',
};

/** The code with which a verdict refuses. */
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

/** @throws AuthException the refusal of a verdict that is not good. */
export function assertActive(verdict: Verdict): asserts verdict is ActiveVerdict {
  if (verdict.state !== 'active') throw exceptionOf(verdict);
}
