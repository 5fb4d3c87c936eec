import type { TokenIdentity } from './revocation-event.js';

/**
 * The verified claims of an access token.
 *
 * Tokens that this library issued carry all of the named ones; tokens of a foreign issuer at least
 * `iss` and what their issuer puts in.
 *
 * @publicApi
 */
export interface TokenClaims extends TokenIdentity {
  readonly iss: string;
  readonly sub: string;
  readonly aud?: string | readonly string[];
  /** Expiry in seconds (RFC 7519 section 4.1.4). */
  readonly exp: number;
  /** Issue time in seconds (RFC 7519 section 4.1.6). */
  readonly iat: number;
  readonly [claim: string]: unknown;
}

/**
 * How fresh the proof behind a decision must be: at most so many seconds old, or `'strict'`: dated
 * after the request arrived. It can only tighten what the module says.
 */
export type Freshness = 'strict' | number;
