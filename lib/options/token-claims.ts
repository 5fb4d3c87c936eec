/** The claims that identify a token to the log. All ids are compared exactly, never normalised. */
export interface TokenIdentity {
  readonly iss: string;
  readonly sub?: string | undefined;
  readonly sid?: string | undefined;
  readonly jti?: string | undefined;
  /** The position of the log when the user was authenticated; absent on foreign tokens. */
  readonly gen?: number | undefined;
  /** Seconds; used where `gen` is absent, and for tokens of other issuers. */
  readonly iat?: number | undefined;
}

/**
 * The verified claims of an access token.
 *
 * Tokens that this library issued carry all of the named ones; tokens of a foreign issuer at least
 * `iss` and what their issuer puts in.
 *
 * @publicApi
 */
export interface TokenClaims extends TokenIdentity {
  readonly sub: string;
  readonly aud?: string | readonly string[];
  /** Expiry in seconds (RFC 7519 section 4.1.4). */
  readonly exp: number;
  /** Issue time in seconds (RFC 7519 section 4.1.6). */
  readonly iat: number;
  /**
   * When the user authenticated, in seconds (RFC 9068 section 2.2.1): at the login, or in the last
   * `sessions.confirm()`. A refresh does not change it. `@RecentLogin()` reads it.
   */
  readonly auth_time?: number | undefined;
  readonly [claim: string]: unknown;
}

/**
 * Verified claims as an application's own types describe them: what `assertActive()` and `logout()`
 * take. It has no index signature, because no `interface Payload { … }` would fit one, and requires
 * nothing, because such a type seldom names `iss` or `exp`: a token that lacks what is needed is
 * refused when it is asked about.
 *
 * @publicApi
 */
export interface VerifiedClaims extends Omit<TokenIdentity, 'iss'> {
  readonly iss?: string | undefined;
  readonly exp?: number | undefined;
}
