import type { SecretMaterial } from './auth-key-options.js';

/**
 * Takes over the tokens of the passport recipe of the Nest documentation, so that moving in logs
 * nobody out: HS256, type `JWT` or none, no `kid`, with `sub` (a text or a number), `iat` and `exp`;
 * `exp - iat` is at most 31 days, and where `iss` or `aud` stand there they must be ours.
 *
 * To handlers such a token is one of ours without a session: `iss` is ours, `sub` a text, `jti` a
 * digest of its payload; `sid` and `gen` are absent. `logout(token)` ends it alone, `logoutAll` and
 * the acts of `AccountService` end it by its `iat`.
 *
 * While it is set, every revocation is remembered for 31 days, since such a token may live so long.
 *
 * @example
 * ```ts
 * const legacy: LegacyOptions = { secret: process.env['JWT_SECRET'] ?? '', until: '2027-03-01' };
 * ```
 * @publicApi
 */
export interface LegacyOptions {
  /**
   * The secret of the recipe, which may be short; it verifies these tokens and no others. Where it
   * stands among `keys` too, leave that key's `kid` out, so that `revokeKey()` ends both.
   */
  secret: SecretMaterial;
  /**
   * From when on such tokens are refused: a `Date`, `'2027-03-01'` (0:00 UTC), or a time with its
   * zone, `'2027-03-01T06:00:00Z'`; in the future, at most 366 days ahead.
   */
  until: Date | string;
  /**
   * `true`: our own access tokens are signed with this secret in the recipe's shape, so that old
   * instances accept them during a rolling deploy. Here they are judged as all of ours, by `sid` and
   * `gen`; an old instance knows of no logout.
   *
   * @default false
   */
  sign?: boolean | undefined;
}
