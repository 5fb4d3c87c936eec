import type { AuthErrorCode, AuthException } from '../errors/auth.exception.js';
import { AuthUnauthorizedException } from '../errors/unauthorized.exception.js';
import { AuthUnavailableException } from '../errors/unavailable.exception.js';
import type { RevocationKind } from '../database/revocation-event.js';
import type { ActiveVerdict, Verdict } from './verdict.js';

const CODE_OF_KIND: Readonly<Record<RevocationKind, AuthErrorCode>> = {
  token: 'token_revoked',
  session: 'session_ended',
  subject: 'session_ended',
  key: 'key_revoked',
  issuer: 'token_revoked',
};

/** The sentence for each code of {@link CODE_OF_KIND}; it stands in body and challenge. */
const SENTENCE: Partial<Record<AuthErrorCode, string>> = {
  token_revoked: 'The token has been revoked.',
  session_ended: 'The session has ended.',
  key_revoked: 'The key that signed the token has been revoked.',
  account_locked: 'The account is locked.',
  account_disabled: 'The account is disabled.',
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
  if (verdict.state === 'unknown') {
    return new AuthUnavailableException(
      'revocation_state_unknown',
      'It cannot be told at the moment whether the token is still good.',
      { retryAfter: verdict.retryAfter },
    );
  }
  if (verdict.state === 'invalid') {
    return new AuthUnauthorizedException('token_invalid', 'The token is not of this installation.');
  }
  const code = codeOf(verdict);
  return new AuthUnauthorizedException(code, SENTENCE[code] ?? 'The token has been revoked.', {
    reason: verdict.reason === 'unspecified' ? undefined : verdict.reason,
  });
}
