import { types } from 'node:util';
import type { AuthKey, SecretMaterial } from './auth-key.js';
import { DATE_FORMS, timeOf } from './duration.js';
import { MINIMUM_SECRET_BYTES, readSecret, secretKid } from './key-material.js';
import { describeGiven, describeKind, type OptionProblems } from './option-problems.js';
import { readFields } from './option-readers.js';
import type { ResolvedLegacy } from './resolved-auth-options.js';

const FIELDS = ['secret', 'until', 'sign'] as const;
const FAMILIAR: ReadonlyMap<string, string> = new Map([
  ['secretOrKey', 'Call it secret.'],
  ['expires', 'Call it until.'],
]);

const LONGEST = 366 * 86_400_000;

/** The option `legacy`, judged by the host's clock: nothing else is there yet. @internal */
export function readLegacy(given: unknown, problems: OptionProblems): ResolvedLegacy | undefined {
  if (given === undefined) return undefined;
  const fields = readFields(given, 'legacy', FIELDS, FAMILIAR, problems);
  if (fields === null) return undefined;
  // Any length: the tokens that are out there were signed with what they were signed with.
  const secret = readSecret(fields.secret, 'HS256', 1, 'legacy.secret', problems);
  const until = readUntil(fields.until, problems);
  const { sign = false } = fields;
  if (typeof sign !== 'boolean') {
    problems.add('legacy.sign', describeGiven(sign), 'Write true or false.');
  }
  if (secret === null) return undefined;
  const key: AuthKey = {
    kid: secretKid(secret),
    alg: 'HS256',
    verify: secret,
    sign: secret,
    secretHalf: secret,
  };
  return Object.freeze({
    key: Object.freeze(key),
    until,
    signs: sign === true,
    isShort: (secret.symmetricKeySize ?? 0) < (MINIMUM_SECRET_BYTES.get('HS256') ?? 0),
  });
}

/**
 * One secret has one name: else `revokeKey()` of a leaked key would leave open the tokens that
 * whoever has its secret makes in the old shape.
 *
 * @internal
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

function readUntil(given: unknown, problems: OptionProblems): number {
  const time = timeOf(given);
  const shown = types.isDate(given) ? 'a Date' : describeGiven(given);
  if (Number.isNaN(time)) {
    problems.add('legacy.until', given === undefined ? describeKind(given) : shown, DATE_FORMS);
    return 0;
  }
  // One that is over is good: a pod that restarts the night after must come up.
  if (time - Date.now() > LONGEST) {
    problems.add('legacy.until', shown, 'Give a time at most 366 days ahead.');
  }
  return time;
}

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
