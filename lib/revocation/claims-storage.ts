import type { AuthRequest } from '../platform/execution-context.js';
import type { TokenClaims } from '../options/token-claims.js';

/** Our own place on the request: `user` belongs to the application, which may put anything there. */
const CLAIMS = Symbol.for('nestjs-logout:claims');

const KID = Symbol.for('nestjs-logout:kid');

/**
 * The verified claims of the token that authenticated a request; `undefined` where none did.
 *
 * @publicApi
 */
export function claimsOf(request: AuthRequest): TokenClaims | undefined {
  return request[CLAIMS] as TokenClaims | undefined;
}

/** The kid of the key that verified these claims; `undefined` where our strategy did not. */
export function kidOfRequest(request: AuthRequest): string | undefined {
  return request[KID] as string | undefined;
}

/** Called by whatever authenticated a request, after the last check. */
export function rememberClaims(request: AuthRequest, claims: TokenClaims, kid?: string): void {
  request[CLAIMS] = claims;
  request[KID] = kid;
}
