import { AuthException } from '../errors/auth.exception.js';
import { type Duration, parseDuration } from './duration.js';

/** No lock is longer (ms); what is to last for ever is a disabled account. */
export const LONGEST_LOCK = 366 * 86_400_000;

/**
 * For how long an account is locked, in milliseconds.
 *
 * @throws AuthException 400 `invalid_request` for what is no duration, not above 0 or over 366 days.
 */
export function lockTimeOf(given: Duration): number {
  const parsed = parseDuration(given);
  if (typeof parsed === 'number' && parsed > 0 && parsed <= LONGEST_LOCK) return parsed;
  throw new AuthException(
    400,
    'invalid_request',
    'Nothing was locked: give a duration of at most 366 days, in seconds or as "15m".',
  );
}
