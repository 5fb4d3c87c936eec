import { types } from 'node:util';
import type { AuthKey } from './auth-key.js';
import { DATE_FORMS, timeOf } from './date-time.js';
import { readSecret, secretKid } from './key-material.js';
import { MINIMUM_SECRET_BYTES } from './key-fits-algorithm.js';
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
