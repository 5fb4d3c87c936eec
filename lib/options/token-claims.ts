/**
 * The claims that identify a token in the log. All ids are compared exactly, without normalization.
 *
 * @publicApi
 */
export interface TokenIdentity {
  /** The issuer (RFC 7519 section 4.1.1). */
  readonly iss: string;
  /** The subject: the id of the account (RFC 7519 section 4.1.2). */
  readonly sub?: string | undefined;
  /** The id of the session. All tokens of one login have the same. */
  readonly sid?: string | undefined;
  /** The id of the token (RFC 7519 section 4.1.7). */
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
  /** The id of the account, as a string (RFC 7519 section 4.1.2). */
  readonly sub: string;
  /** The audience (RFC 7519 section 4.1.3). */
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
  /** The claims of the application. */
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
  /** The issuer (RFC 7519 section 4.1.1). */
  readonly iss?: string | undefined;
  /** Expiry in seconds (RFC 7519 section 4.1.4). */
  readonly exp?: number | undefined;
}
