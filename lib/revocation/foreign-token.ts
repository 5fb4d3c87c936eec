import { AuthUnauthorizedException } from '../errors/unauthorized.exception.js';
import { LARGEST_TOLERANCE, type ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { isIdentifier } from '../platform/identifier.js';
import type { TokenIdentity } from '../database/revocation-event.js';
import type { VerifiedClaims } from './token-claims.js';

/**
 * Whether the log can say anything about a token: it is ours, or its issuer is registered; it has an
 * id by which it can be ended; and it dies no later than its end would be forgotten.
 *
 * @throws AuthUnauthorizedException `token_invalid`: what cannot be revoked is not accepted.
 */
export function assertDecidable(
  claims: VerifiedClaims,
  options: ResolvedAuthOptions,
  now: number,
): asserts claims is TokenIdentity {
  const { iss, sub, jti, sid, iat, exp } = claims;
  const longest =
    iss === options.issuer
      ? options.maxTokenLife
      : options.foreign.find(({ issuer }) => issuer === iss)?.maxTokenLife;
  if (longest === undefined) throw invalid('it is of an issuer that is not registered');
  if (!isIdentifier(sub) && !isIdentifier(jti) && !isIdentifier(sid)) {
    throw invalid('it has neither sub, jti nor sid');
  }
  if (jti === undefined && sid === undefined) {
    throw invalid(
      'it has neither jti nor sid, and its text was not passed: assertActive(claims, { token })',
    );
  }
  for (const id of [sub, jti, sid]) {
    if (id !== undefined && !isIdentifier(id)) throw invalid('an id of it is malformed');
  }
  if (!isTime(iat) || !isTime(exp)) throw invalid('it has no iat or no exp');
  const end = exp * 1000;
  // Its end may have been forgotten: whoever verified it must not have been that tolerant.
  if (now >= end + LARGEST_TOLERANCE) {
    throw new AuthUnauthorizedException('token_expired', 'The token has expired.');
  }
  if (
    end - iat * 1000 > longest ||
    end > now + longest + options.clockTolerance + LARGEST_TOLERANCE
  ) {
    throw invalid('its lifetime is longer than the maxTokenLife of its issuer');
  }
}

/**
 * What `assertActive({ checkTimes: true })` adds: `exp` and `nbf`, as the guard judges them.
 *
 * @throws AuthUnauthorizedException `token_expired`, or `token_invalid` before `nbf`.
 */
export function assertInTime(
  claims: VerifiedClaims & { readonly nbf?: unknown },
  now: number,
  { clockTolerance }: ResolvedAuthOptions,
): void {
  const { exp, nbf } = claims;
  if (exp === undefined || now >= exp * 1000 + clockTolerance) {
    throw new AuthUnauthorizedException('token_expired', 'The token has expired.');
  }
  if (nbf === undefined) return;
  if (typeof nbf !== 'number' || !(nbf * 1000 <= now + clockTolerance)) {
    throw invalid('it is not valid yet');
  }
}

function isTime(value: number | undefined): value is number {
  return Number.isFinite(value);
}

function invalid(why: string): AuthUnauthorizedException {
  return new AuthUnauthorizedException('token_invalid', `The token is not valid: ${why}.`);
}
