import { isInteger, oneOf, option, readOptions, text, wrong, wrongKind } from './option-checks.js';

/**
 * The options of opaque tokens: the object form of `apiTokens`.
 *
 * @example
 * ```ts
 * const apiTokens: ApiTokenOptions = { prefix: 'acme_' };
 * ```
 * @publicApi
 */
export interface ApiTokenOptions {
  /**
   * The first characters of each token: 1 to 20 letters and digits, a letter first, and `_` at the end. A
   * scanner for leaked secrets recognises your tokens by it. Tokens with another prefix are refused, so do
   * not change it while tokens are in use.
   *
   * @default 'nlt_'
   */
  prefix?: string | undefined;
  /**
   * How many valid API tokens an account may have, 1 to 10,000; `false` is no limit. One more is refused with
   * 409 `too_many_api_tokens`, even if several are issued at the same time. Expired and revoked tokens do not
   * count, nor do the access tokens of logins.
   *
   * @default 100
   */
  limit?: number | false | undefined;
}

/** The options that turn opaque tokens on. @publicApi */
export interface ApiTokenSettings {
  /**
   * Turns opaque tokens on: `ApiTokenService` issues them, and `AccessTokenGuard`, `TokenService` and
   * introspection accept both them and JWTs. The migrations create the table `auth_api_token` for them.
   *
   * `JwtAuthGuard` refuses opaque tokens. An instance reads the row of an opaque token at its first request,
   * and again every few minutes. Requests with a JWT still need no query.
   *
   * @default false
   */
  apiTokens?: boolean | ApiTokenOptions | undefined;

  /**
   * The kind of access token that `login()` and `refresh()` return. `'opaque'` needs the option `apiTokens`
   * and `AccessTokenGuard` on the routes. Each access token is then a row in the database. JWTs that were
   * signed before are accepted until they expire.
   *
   * @default 'jwt'
   */
  accessTokens?: 'jwt' | 'opaque' | undefined;
}

/** The longest lifetime of an opaque token (ms). */
export const LONGEST_API_TOKEN = 366 * 86_400_000;

/** The checked value of the option `apiTokens`. */
export interface ResolvedApiTokens {
  readonly prefix: string;
  /** `Infinity`: no limit. */
  readonly limit: number;
}

const OPTIONS = {
  prefix: option(
    'nlt_',
    text(
      (prefix) => /^[A-Za-z][A-Za-z0-9]{0,19}_$/.test(prefix),
      "Give 1 to 20 letters and digits, a letter first, and _ at the end: 'acme_'.",
    ),
  ),
  limit: option(100, limit),
};

const MOST = 10_000;

function limit(given: unknown, path: string): number {
  if (given === false) return Infinity;
  if (isInteger(given, 1, MOST)) return given;
  throw wrong(path, given, `Give 1 to ${MOST}, or false for no limit.`);
}

/** Checks the option `apiTokens`; `undefined`: it is off. */
export function apiTokens(given: unknown, path: string): ResolvedApiTokens | undefined {
  if (given === false) return undefined;
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) {
    const { prefix = '', limit: most } = readOptions(given, path, OPTIONS);
    return Object.freeze({ prefix, limit: most });
  }
  if (given === true) return apiTokens({}, path);
  throw wrongKind(path, given, "Write true, false or { prefix: 'acme_' }.");
}

/** Checks the option `accessTokens`. */
export function accessTokens(
  given: unknown,
  path: string,
  earlier: { readonly apiTokens?: ResolvedApiTokens | undefined },
): 'jwt' | 'opaque' {
  const kind = oneOf('jwt', 'opaque')(given, path, earlier);
  if (kind === 'jwt' || earlier.apiTokens !== undefined) return kind;
  throw wrong(path, given, 'Also turn on opaque tokens: apiTokens: true.');
}
