import type { RevocationReason } from '../database/revocation-event.js';
import { type AuthException, AuthUnauthorizedException } from '../errors/auth.exception.js';

const SENTENCES = {
  refresh_token_invalid: 'The refresh token is not valid.',
  refresh_token_expired: 'The refresh token has expired. Log in again.',
  refresh_token_reused: 'The refresh token was used before; the session has ended. Log in again.',
  session_ended: 'The session has ended. Log in again.',
  account_locked: 'The account is locked.',
  account_disabled: 'The account is disabled.',
} as const;

/** 401: why a refresh or a login was refused; an unknown and a foreign token look the same. */
export function refreshRefusal(
  code: keyof typeof SENTENCES,
  reason?: RevocationReason,
): AuthException {
  return new AuthUnauthorizedException(code, SENTENCES[code], {
    reason: reason === 'unspecified' ? undefined : reason,
  });
}
