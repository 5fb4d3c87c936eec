import type { AuthKey, SecretMaterial } from './auth-key.js';
import { hmacKey, MINIMUM_SECRET_BYTES, readSecret } from './key-material.js';
import { dateWithin, flag, option, readOptions } from './option-checks.js';
import type { OptionProblems } from './option-problems.js';

/**
 * Accepts the tokens of the passport recipe of the Nest documentation, so that migrating logs no one
 * out: HS256, type `JWT` or none, no `kid`, with `sub` (a text or a number), `iat` and `exp`. `exp - iat`
 * is at most 31 days, and an `iss` or `aud` must be that of the options.
 *
 * Handlers see such a token as an own token without a session: `iss` is the own issuer, `sub` a text,
 * `jti` a digest of its payload; `sid` and `gen` are absent. `logout(token)` revokes it alone;
 * `logoutAll` and the acts of `AccountService` revoke it by its `iat`.
 *
 * While the option is set, every revocation is remembered for 31 days, the longest lifetime of such a
 * token.
 *
 * @example
 * ```ts
 * const legacy: LegacyOptions = { secret: process.env['JWT_SECRET'] ?? '', until: '2027-03-01' };
 * ```
 * @publicApi
 */
export interface LegacyOptions {
  /**
   * The secret of the recipe, which may be short. It verifies only these tokens. If it is among `keys`
   * too, omit the `kid` of that key, so that `revokeKey()` revokes both.
   */
  secret: SecretMaterial;
  /**
   * From then on such tokens are refused: a `Date`, `'2027-03-01'` (0:00 UTC), or a time with its zone,
   * `'2027-03-01T06:00:00Z'`; at most 366 days ahead.
   */
  until: Date | string;
  /**
   * With `true` new access tokens are signed with this secret in the recipe's shape, so that old
   * instances accept them during a rolling deploy. Here they are checked like all own tokens, by `sid`
   * and `gen`; an old instance knows of no logout.
   *
   * @default false
   */
  sign?: boolean | undefined;
}

/** The tokens of the passport recipe, while they are accepted. */
export interface ResolvedLegacy {
  /** HS256, named by its secret; in no ring. */
  readonly key: AuthKey;
  /** Epoch ms, by the library's one `now`. */
  readonly until: number;
  /** Whether our own access tokens are signed with it. */
  readonly signs: boolean;
  /** Whether it is shorter than HS256 demands. */
  readonly isShort: boolean;
}

/** The longest `exp - iat` (ms) of a token of the passport recipe: the largest `accessTokenTtl`. */
export const LEGACY_TOKEN_LIFE = 31 * 86_400_000;

const LEGACY = {
  secret: option(undefined, (given, path, problems: OptionProblems) =>
    // Any length: the tokens that are out there were signed with what they were signed with.
    readSecret(given, 'HS256', 1, path, problems),
  ),
  until: option(undefined, dateWithin(366)),
  sign: option(false, flag),
};
const FAMILIAR: ReadonlyMap<string, string> = new Map([
  ['secretOrKey', 'Call it secret.'],
  ['expires', 'Call it until.'],
]);

/** The option `legacy`, checked by the host's clock: there is no other yet. */
export function legacy(
  given: unknown,
  path: string,
  problems: OptionProblems,
): ResolvedLegacy | undefined {
  if (given === undefined) return undefined;
  const values = readOptions(given, path, LEGACY, FAMILIAR, problems);
  if (values === null || values.secret === null) return undefined;
  return Object.freeze({
    key: hmacKey(values.secret),
    until: values.until,
    signs: values.sign,
    isShort: (values.secret.symmetricKeySize ?? 0) < (MINIMUM_SECRET_BYTES.get('HS256') ?? 0),
  });
}

/**
 * One secret has one name. Otherwise an attacker with a leaked secret could still make tokens in the old
 * shape after `revokeKey()`.
 */
export function checkNameOfLegacy(
  keys: readonly AuthKey[],
  legacy: ResolvedLegacy | undefined,
  problems: OptionProblems,
): void {
  if (legacy === undefined) return;
  for (const [index, { kid, verify }] of keys.entries()) {
    if (kid === legacy.key.kid || !verify.equals(legacy.key.verify)) continue;
    problems.add(
      `keys[${index}].kid`,
      'a name of its own for the secret of legacy',
      `Leave kid out, or call it '${legacy.key.kid}': then revokeKey() ends the old tokens too.`,
    );
  }
}
