import { createPublicKey, type KeyObject } from 'node:crypto';
import { type AuthKey, SIGNING_ALGORITHMS, type SigningAlgorithm } from './auth-key.js';
import {
  hmacKey,
  MINIMUM_SECRET_BYTES,
  misfit,
  readKeyHalf,
  readSecret,
  secretKid,
} from './key-material.js';
import { checkNameOfLegacy, type ResolvedLegacy } from './legacy-options.js';
import {
  type Check,
  list,
  oneOf,
  option,
  OptionProblems,
  readOptions,
  refused,
  type Resolved,
  wrong,
  wrongKind,
} from './option-checks.js';

/** The two halves of a key. A public key has no `sign`. For a secret, both are the same. */
interface Halves {
  readonly verify: KeyObject;
  readonly sign: KeyObject | null;
}

const MATERIAL = ['secret', 'privateKey', 'publicKey'] as const;
type Material = (typeof MATERIAL)[number];

const ENTRY = {
  alg: option(undefined, algorithm),
  secret: option(undefined, material('secret')),
  privateKey: option(undefined, material('privateKey')),
  publicKey: option(undefined, material('publicKey')),
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

/** What the checks of an entry use: the kinds of key material that were given. */
interface Given {
  readonly material: readonly Material[];
}

/**
 * Checks the options `secret` and `keys`. A value is checked now. A function is called later, at boot and by
 * `KeyService.reload()`, and its result is checked then.
 *
 * @returns a function that returns the checked keys.
 *
 * @throws InvalidAuthOptionsError
 */
export function keySource(
  keys: unknown,
  path: string,
  { secret, legacy }: { readonly secret: unknown; readonly legacy: ResolvedLegacy | undefined },
): () => Promise<readonly AuthKey[]> {
  if (secret !== undefined && keys !== undefined) {
    throw refused(
      'secret',
      'a value, although keys is set',
      'Use one of them: move the secret into keys.',
    );
  }
  if (secret === undefined && keys === undefined) {
    throw wrong(
      'secret',
      secret,
      'Set secret (at least 32 random bytes) or keys. If it comes from an environment variable, check that the variable is set.',
    );
  }
  const checked = (given: readonly AuthKey[]): readonly AuthKey[] => {
    checkNameOfLegacy(given, legacy);
    return given;
  };
  if (typeof keys === 'function') return async () => checked(resolveAuthKeys(await keys(), path));
  const fixed = checked(
    secret === undefined
      ? resolveAuthKeys(keys, path)
      : [hmacKey(readSecret(secret, 'secret', 'HS256', 32))],
  );
  return () => Promise.resolve(fixed);
}

/**
 * Checks a list of keys. Each becomes a `KeyObject` with its one algorithm (RFC 8725 section 3.1), so that no
 * later code has to guess from a string what kind of key it is.
 *
 * @throws InvalidAuthOptionsError with every problem. No message contains key material.
 */
export function resolveAuthKeys(given: unknown, path = 'keys'): readonly AuthKey[] {
  if (!Array.isArray(given) || given.length === 0) {
    throw wrongKind(
      path,
      given,
      'Give a list with at least one { kid, alg, secret | privateKey | publicKey }, or a function that returns it.',
    );
  }
  const seen: { readonly place: string; readonly key: AuthKey }[] = [];
  const keys = list<AuthKey>((one, place) => {
    const key = readEntry(one, place);
    for (const earlier of seen) checkDistinct(key, place, earlier.key, earlier.place);
    seen.push({ place, key });
    return key;
  }, '')(given, path, {});
  const hmac = keys.filter(({ alg }) => MINIMUM_SECRET_BYTES.has(alg)).length;
  if (hmac === 0 || hmac === keys.length) return keys;
  throw refused(
    path,
    `a list that mixes HMAC secrets (${hmac}) and key pairs (${keys.length - hmac})`,
    'Use only one kind: if a public key is mistaken for a secret, anyone can sign (RFC 8725 section 3.1).',
  );
}

function readEntry(given: unknown, path: string): AuthKey {
  const entry = given as Partial<Record<Material, unknown>> | null;
  const material = MATERIAL.filter((name) => entry?.[name] !== undefined);
  const problems = new OptionProblems();
  const read = problems.attempt(() => readOptions(given, path, ENTRY, FAMILIAR, { material }));
  if (entry !== null && typeof entry === 'object' && material.length !== 1) {
    const found = material.length === 0 ? 'no key material' : material.join(' and ');
    problems.add(refused(path, found, 'Use exactly one of secret, privateKey, publicKey.'));
  }
  problems.throwIfAny();
  const { alg, secret, privateKey, publicKey, use, kid } = read as Resolved<typeof ENTRY>;
  const { verify, sign } = (secret ?? privateKey ?? publicKey) as Halves;
  return Object.freeze({
    kid: kid ?? secretKid(verify),
    alg,
    verify,
    sign: use === 'verify' ? null : sign,
    secretHalf: sign,
  });
}

/** The check of one kind of key material, which must fit `alg`. */
function material(
  name: Material,
): Check<Halves | undefined, { readonly alg: SigningAlgorithm | undefined }> {
  return (given, path, { alg }) => {
    if (given === undefined || alg === undefined) return undefined;
    const minimum = MINIMUM_SECRET_BYTES.get(alg);
    if ((name === 'secret') !== (minimum !== undefined)) {
      const wants = minimum === undefined ? 'a privateKey or a publicKey' : 'a secret';
      throw wrongKind(path, given, `${alg} takes ${wants}.`);
    }
    if (minimum !== undefined) {
      const secret = readSecret(given, path, alg, minimum);
      return { verify: secret, sign: secret };
    }
    const half = readKeyHalf(given, path, name === 'privateKey' ? 'private' : 'public');
    const fix = misfit(half, alg);
    if (fix !== undefined) throw wrongKind(path, given, fix);
    return name === 'publicKey'
      ? { verify: half, sign: null }
      : { verify: createPublicKey(half), sign: half };
  };
}

function algorithm(given: unknown, path: string): SigningAlgorithm {
  const known = SIGNING_ALGORITHMS.find((alg) => alg === given);
  if (known !== undefined) return known;
  const isText = typeof given === 'string';
  let fix = `Write one of ${SIGNING_ALGORITHMS.join(', ')}.`;
  if (isText && given.toLowerCase() === 'none')
    fix = `A token without a signature is refused. ${fix}`;
  if (isText && /^(?:eddsa|ed25519|ed448)$/i.test(given))
    fix = `jsonwebtoken cannot verify it; use ES256. ${fix}`;
  // Names of algorithms are short. A longer string may be a secret for the wrong option.
  throw isText && given.length > 12 ? wrongKind(path, given, fix) : wrong(path, given, fix);
}

function purpose(given: unknown, path: string, { material }: Given): 'sign' | 'verify' {
  const isPublic = material.includes('publicKey');
  if (given === undefined) return isPublic ? 'verify' : 'sign';
  if (given !== 'sign' || !isPublic) return oneOf('sign', 'verify')(given, path, {});
  throw wrong(path, given, 'A public key can only verify: set privateKey instead, or omit use.');
}

/** The check of `kid`; `undefined` for a secret without one, whose `kid` is derived ({@link secretKid}). */
function keyName(given: unknown, path: string, { material }: Given): string | undefined {
  if (given === undefined && material.includes('secret')) return undefined;
  const fits = typeof given === 'string' && given.length >= 1 && given.length <= 128;
  if (fits && given.isWellFormed()) return given;
  const fix = "Give the key a name of 1 to 128 well-formed characters, such as '2026-10'.";
  throw wrong(path, given, fix);
}

/** Checks that no two keys have the same `kid` or the same material. */
function checkDistinct(key: AuthKey, path: string, earlier: AuthKey, at: string): void {
  if (earlier.kid === key.kid) {
    const fix = 'Every kid must be different: it decides which key verifies.';
    throw refused(`${path}.kid`, `the kid of ${at}`, fix);
  }
  if (earlier.verify.equals(key.verify)) {
    const fix = 'List each key once: revokeKey() with one kid would not revoke the other.';
    throw refused(path, `the key of ${at} under another kid`, fix);
  }
}
