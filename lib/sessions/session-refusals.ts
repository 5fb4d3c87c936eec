import { type AuthException, refusal } from '../errors/auth.exception.js';
import { ERROR_CODES } from '../errors/error-codes.js';
import type { RevocationReason } from '../database/revocation-event.js';

type Code =
  | 'refresh_token_invalid'
  | 'refresh_token_expired'
  | 'refresh_token_reused'
  | 'session_ended'
  | 'account_locked'
  | 'account_disabled';

/** 401: why a refresh or a login was refused; an unknown and a foreign token look the same. */
export function refreshRefusal(code: Code, reason?: RevocationReason): AuthException {
  const { message } = ERROR_CODES[code];
  // Whoever can refresh no more has to log in; the guard's sentence is also read where one can.
  return refusal(code, {
    reason,
    message: code === 'session_ended' ? `${message} Log in again.` : message,
  });
}
