import type { AuthRequest } from '../context/execution-context.js';
import type { TokenClaims } from '../revocation/token-claims.js';

/** Our own place on the request: `user` belongs to the application, which may put anything there. */
const CLAIMS = Symbol.for('nestjs-logout:claims');

/**
 * The verified claims of the token that authenticated a request; `undefined` where none did.
 *
 * @publicApi
 */
export function claimsOf(request: AuthRequest): TokenClaims | undefined {
  return request[CLAIMS] as TokenClaims | undefined;
}

/** Called by whatever authenticated a request, after the last check. */
export function rememberClaims(request: AuthRequest, claims: TokenClaims): void {
  request[CLAIMS] = claims;
}
