import { AuthWiringError } from '../errors/auth-wiring.error.js';
import type { SignedAccessToken } from './access-token.signer.js';
import type { Delivery } from '../database/session-rows.js';

/** What is left of 4,096 bytes beside a name and its attributes. */
const COOKIE_LIMIT = 3_900;

/**
 * Before anything is stored or consumed: a browser drops a longer cookie without a word (RFC 6265
 * section 6.1), and the client would be left without either token.
 *
 * @throws AuthWiringError
 */
export function assertFitsCookie(
  { text }: SignedAccessToken,
  delivery: Delivery | undefined,
): void {
  if (delivery !== 'cookie' || text.length <= COOKIE_LIMIT) return;
  throw new AuthWiringError(
    `An access token of ${text.length} characters does not fit into a cookie, which holds 4,096 with its name.`,
    'Give the token fewer claims, or switch the option http.cookies off.',
  );
}
