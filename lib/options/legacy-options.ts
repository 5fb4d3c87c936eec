import type { AuthKey, SecretMaterial } from './auth-key.js';
import { hmacKey, MINIMUM_SECRET_BYTES, readSecret } from './key-material.js';
import { dateWithin, flag, option, OptionProblems, readOptions, refused } from './option-checks.js';

/**
 * Accepts the tokens of the passport recipe of the Nest documentation, so that a migration logs no one
 * out. The tokens are HS256, with the type `JWT` or none, without `kid`, and with `sub` (a string or a number),
 * `iat` and `exp`. `exp - iat` is at most 31 days. An `iss` or `aud`, if present, must match the options.
 *
 * In handlers, such a token has the `iss` of this application and no session: `sub` is a string, `jti` is a
 * digest of its payload, and `sid` and `gen` are absent. `logout(token)` revokes only this token. `logoutAll`
 * and the acts of `AccountService` revoke it by its `iat`.
 *
 * While the option is set, the log keeps every revocation for 31 days, the longest lifetime of such a token.
 *
 * @example
 * ```ts
 * const legacy: LegacyOptions = { secret: process.env['JWT_SECRET'] ?? '', until: '2027-03-01' };
 * ```
 * @publicApi
 */
export interface LegacyOptions {
  /**
   * The secret of the recipe, which may be short. It verifies only legacy tokens. If the same secret is in
   * `keys`, omit the `kid` there, so that `revokeKey()` revokes both kinds of tokens.
   */
  secret: SecretMaterial;
  /**
   * The time from which legacy tokens are refused: a `Date`, `'2027-03-01'` (0:00 UTC), or a time with its
   * zone, `'2027-03-01T06:00:00Z'`; at most 366 days ahead.
   */
  until: Date | string;
  /**
   * Signs new access tokens with this secret in the recipe's format, so that old instances accept them
   * during a rolling deploy. New instances check them for revocation. Old instances do not.
   *
   * @default false
   */
  sign?: boolean | undefined;
}

/** The checked value of the option `legacy`. */
export interface ResolvedLegacy {
  /** The HS256 key of the recipe. It is not in the key ring, so it verifies legacy tokens only. */
  readonly key: AuthKey;
  /** From when legacy tokens are refused (epoch ms, by the library's `now`). */
  readonly until: number;
  /** Whether new access tokens are signed with it. */
  readonly signs: boolean;
  /** Whether the secret is shorter than HS256 requires. */
  readonly isShort: boolean;
}

/** The longest `exp - iat` (ms) of a token of the passport recipe: the largest `accessTokenTtl`. */
export const LEGACY_TOKEN_LIFE = 31 * 86_400_000;

const LEGACY = {
  // Any length is accepted, because existing tokens were signed with this secret.
  secret: option(undefined, (given, path) => readSecret(given, path, 'HS256', 1)),
  until: option(undefined, dateWithin(366)),
  sign: option(false, flag),
};
const FAMILIAR: ReadonlyMap<string, string> = new Map([
  ['secretOrKey', 'Call it secret.'],
  ['expires', 'Call it until.'],
]);

/** Checks the option `legacy`, the date by the host's clock: no other is known at boot. */
export function legacy(given: unknown, path: string): ResolvedLegacy | undefined {
  if (given === undefined) return undefined;
  const { secret, until, sign } = readOptions(given, path, LEGACY, FAMILIAR);
  const isShort = (secret.symmetricKeySize ?? 0) < (MINIMUM_SECRET_BYTES.get('HS256') ?? 0);
  return Object.freeze({ key: hmacKey(secret), until, signs: sign, isShort });
}

/**
 * Checks that the secret of `legacy` has the same `kid` in `keys`. Otherwise an attacker with the leaked
 * secret could still sign legacy tokens after `revokeKey()`.
 *
 * @throws InvalidAuthOptionsError
 */
export function checkNameOfLegacy(
  keys: readonly AuthKey[],
  legacy: ResolvedLegacy | undefined,
): void {
  if (legacy === undefined) return;
  const problems = new OptionProblems();
  for (const [index, { kid, verify }] of keys.entries()) {
    if (kid === legacy.key.kid || !verify.equals(legacy.key.verify)) continue;
    problems.add(
      refused(
        `keys[${index}].kid`,
        'a name of its own for the secret of legacy',
        `Omit kid, or use '${legacy.key.kid}', so that revokeKey() revokes the legacy tokens too.`,
      ),
    );
  }
  problems.throwIfAny();
}
