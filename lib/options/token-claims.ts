/** The claims that identify a token in the log. All ids are compared exactly, without normalization. */
export interface TokenIdentity {
  readonly iss: string;
  readonly sub?: string | undefined;
  readonly sid?: string | undefined;
  readonly jti?: string | undefined;
  /** The position of the log when the user was authenticated; absent in foreign tokens. */
  readonly gen?: number | undefined;
  /** Issue time in seconds. It is used if `gen` is absent, and for tokens of other issuers. */
  readonly iat?: number | undefined;
}

/**
 * The verified claims of an access token.
 *
 * Tokens of this library contain all of the listed claims. Tokens of another issuer contain `iss` and what
 * that issuer adds.
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
 * Verified claims with a type of your own: the parameter of `assertActive()` and `logout()`.
 *
 * It has no index signature, because an `interface Payload { … }` would not be assignable to one. It requires
 * no claim, because such types often omit `iss` or `exp`. Instead, the call refuses claims that lack what it
 * needs.
 *
 * @publicApi
 */
export interface VerifiedClaims extends Omit<TokenIdentity, 'iss'> {
  readonly iss?: string | undefined;
  readonly exp?: number | undefined;
}
