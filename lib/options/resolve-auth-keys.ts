import { createPublicKey, type KeyObject } from 'node:crypto';
import { type AuthKey, SIGNING_ALGORITHMS, type SigningAlgorithm } from './auth-key.js';
import {
  MINIMUM_SECRET_BYTES,
  hmacKey,
  misfit,
  readKeyHalf,
  readSecret,
  secretKid,
} from './key-material.js';
import { list, oneOf, option, readOptions } from './option-checks.js';
import { describeGiven, describeKind, OptionProblems } from './option-problems.js';

const MATERIAL = ['secret', 'privateKey', 'publicKey'] as const;
const ENTRY = {
  // The material is read last: how depends on alg.
  secret: option(undefined, (given) => given),
  privateKey: option(undefined, (given) => given),
  publicKey: option(undefined, (given) => given),
  alg: option(undefined, algorithm),
  use: option(undefined, purpose),
  kid: option(undefined, keyName),
};
const FAMILIAR: ReadonlyMap<string, string> = new Map([
  ['algorithm', 'Call it alg.'],
  ['id', 'Call it kid.'],
  ['keyid', 'Call it kid.'],
  ['pem', 'Call it what it is: privateKey or publicKey.'],
  ['key', 'Call it what it is: secret, privateKey or publicKey.'],
  ['kty', "It is a JWK: give privateKey: createPrivateKey({ key: jwk, format: 'jwk' })."],
  ['passphrase', 'Give privateKey: createPrivateKey({ key: pem, passphrase }).'],
]);

/** What one entry became; its place is kept for the messages about the whole list. */
interface Entry {
  readonly option: string;
  readonly key: AuthKey;
}

/**
 * Checks a list of keys and makes each a `KeyObject` with its one algorithm (RFC 8725 section 3.1),
 * so that nothing after it ever sees a text or guesses what a text is.
 *
 * @throws InvalidAuthOptionsError with every problem; no message holds key material
 *
 * @example
 * ```ts
 * const [key] = resolveAuthKeys([{ kid: '2026-10', alg: 'HS256', secret: randomBytes(32) }]);
 * ```
 * @internal
 */
export function resolveAuthKeys(given: unknown): readonly AuthKey[] {
  const problems = new OptionProblems();
  const keys = readAuthKeys(given, problems);
  problems.throwIfAny();
  return keys;
}

/** The key of the plain `secret` option: HS256, named by itself. @internal */
export function readPlainSecret(given: unknown, problems: OptionProblems): readonly AuthKey[] {
  const secret = readSecret(given, 'HS256', 32, 'secret', problems);
  if (secret === null) return [];
  return Object.freeze([hmacKey(secret)]);
}

/** {@link resolveAuthKeys}, with the problems noted beside those of the other options. @internal */
export function readAuthKeys(given: unknown, problems: OptionProblems): readonly AuthKey[] {
  if (!Array.isArray(given) || given.length === 0) {
    problems.add(
      'keys',
      describeKind(given),
      'Give a list with at least one { kid, alg, secret | privateKey | publicKey }, or a function that returns it.',
    );
    return [];
  }
  const entries = list(entry, '')(given, 'keys', problems, {});
  checkTogether(entries, problems);
  return Object.freeze(entries.map(({ key }) => key));
}

function entry(given: unknown, path: string, problems: OptionProblems): Entry | null {
  const values = readOptions(given, path, ENTRY, FAMILIAR, problems);
  if (values === null) return null;
  const { alg, kid, use } = values;
  const material = MATERIAL.filter((name) => values[name] !== undefined);
  const [name] = material;
  if (name === undefined || material.length > 1) {
    const found = material.length === 0 ? 'no key material' : material.join(' and ');
    problems.add(path, found, 'Give exactly one of secret, privateKey, publicKey.');
    return null;
  }
  if (alg === null) return null;

  const before = problems.count;
  const pair = readMaterial(name, values[name], alg, `${path}.${name}`, problems);
  if (pair === null || problems.count > before || kid === null) return null;
  const key = {
    kid: kid ?? secretKid(pair.verify),
    alg,
    verify: pair.verify,
    sign: use === 'verify' ? null : pair.sign,
    secretHalf: pair.sign,
  };
  return { option: path, key: Object.freeze(key) };
}

function readMaterial(
  name: (typeof MATERIAL)[number],
  given: unknown,
  alg: SigningAlgorithm,
  option: string,
  problems: OptionProblems,
): { verify: KeyObject; sign: KeyObject | null } | null {
  const minimum = MINIMUM_SECRET_BYTES.get(alg);
  if ((name === 'secret') !== (minimum !== undefined)) {
    const wants = minimum === undefined ? 'a privateKey or a publicKey' : 'a secret';
    problems.add(option, describeKind(given), `${alg} takes ${wants}.`);
    return null;
  }
  if (minimum !== undefined) {
    const secret = readSecret(given, alg, minimum, option, problems);
    return secret === null ? null : { verify: secret, sign: secret };
  }
  const half = readKeyHalf(given, name === 'privateKey' ? 'private' : 'public', option, problems);
  if (half === null) return null;
  const fix = misfit(half, alg);
  if (fix !== undefined) {
    problems.add(option, describeKind(given), fix);
    return null;
  }
  return name === 'publicKey'
    ? { verify: half, sign: null }
    : { verify: createPublicKey(half), sign: half };
}

function algorithm(
  given: unknown,
  path: string,
  problems: OptionProblems,
): SigningAlgorithm | null {
  const known = SIGNING_ALGORITHMS.find((alg) => alg === given);
  if (known !== undefined) return known;
  const isText = typeof given === 'string';
  let fix = `Write one of ${SIGNING_ALGORITHMS.join(', ')}.`;
  if (isText && given.toLowerCase() === 'none')
    fix = `A token without a signature is refused. ${fix}`;
  if (isText && /^(?:eddsa|ed25519|ed448)$/i.test(given))
    fix = `jsonwebtoken cannot verify it; use ES256. ${fix}`;
  // Names of algorithms are short; anything longer may be a secret in the wrong place.
  const shown = isText && given.length > 12 ? describeKind(given) : describeGiven(given);
  problems.add(path, shown, fix);
  return null;
}

function purpose(
  given: unknown,
  path: string,
  problems: OptionProblems,
  { publicKey }: { readonly publicKey: unknown },
): 'sign' | 'verify' {
  const isPublic = publicKey !== undefined;
  if (given === undefined) return isPublic ? 'verify' : 'sign';
  if (given !== 'sign' || !isPublic) return oneOf('sign', 'verify')(given, path, problems, {});
  const fix = 'A public key only verifies: give the privateKey, or leave use out.';
  problems.add(path, "'sign'", fix);
  return 'sign';
}

/** The name; `undefined` where the secret names itself; `null` with the problem noted. */
function keyName(
  given: unknown,
  path: string,
  problems: OptionProblems,
  { secret }: { readonly secret: unknown },
): string | undefined | null {
  if (given === undefined && secret !== undefined) return undefined;
  const fits = typeof given === 'string' && given.length >= 1 && given.length <= 128;
  if (fits && given.isWellFormed()) return given;
  const fix = "Give the key a name of 1 to 128 well-formed characters, such as '2026-10'.";
  problems.add(path, describeGiven(given), fix);
  return null;
}

/** What can only be checked with the whole list. */
function checkTogether(entries: readonly Entry[], problems: OptionProblems): void {
  const hmac = entries.filter(({ key }) => MINIMUM_SECRET_BYTES.has(key.alg)).length;
  if (hmac > 0 && hmac < entries.length)
    problems.add(
      'keys',
      `a list that mixes HMAC secrets (${hmac}) and key pairs (${entries.length - hmac})`,
      'Use one kind: a public key that is taken for a secret lets anyone sign (RFC 8725 section 3.1).',
    );
  entries.forEach(({ option, key }, index) => {
    for (const earlier of entries.slice(0, index)) {
      if (earlier.key.kid === key.kid)
        problems.add(
          `${option}.kid`,
          `the kid of ${earlier.option}`,
          'Every kid must be different: it decides which key verifies.',
        );
      else if (earlier.key.verify.equals(key.verify))
        problems.add(
          option,
          `the key of ${earlier.option} under another kid`,
          'Name each key once: revokeKey() of one name would leave the other open.',
        );
    }
  });
}
