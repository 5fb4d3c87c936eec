import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { types } from 'node:util';
import type { AuthKey, SecretMaterial, SigningAlgorithm } from './auth-key.js';
import { wrongKind } from './option-checks.js';

const MAKE_A_SECRET =
  "Make one with: node -e \"console.log(require('node:crypto').randomBytes(64).toString('base64url'))\"";

/**
 * The `kid` of a secret without a `kid` of its own: the first 16 hex digits of HMAC-SHA256(secret,
 * 'nestjs-logout/kid').
 *
 * The same secret has the same `kid` on every instance. The `kid` is in the header of every token, but it
 * does not reveal a random secret.
 *
 * @example
 * ```ts
 * await logout.revokeKey(secretKid(leakedSecret));
 * ```
 * @publicApi
 */
export function secretKid(secret: SecretMaterial): string {
  return createHmac('sha256', secret).update('nestjs-logout/kid').digest('hex').slice(0, 16);
}

/**
 * Reads a secret of at least `minimum` bytes as a KeyObject.
 *
 * The checks are here because jsonwebtoken accepts anything as a secret: an empty buffer, one byte, or a
 * damaged PEM or JWK of a *public* key, with which anyone can then sign (CVE-2026-34950, CVE-2026-44351).
 *
 * @throws InvalidAuthOptionsError if it is too short, or looks like a key file.
 */
export function readSecret(
  given: unknown,
  option: string,
  alg: string,
  minimum: number,
): KeyObject {
  const flaw = flawOfSecret(given);
  if (flaw !== undefined) throw wrongKind(option, given, flaw);
  const key = types.isKeyObject(given)
    ? given
    : // A string is read as UTF-8.
      createSecretKey(Buffer.from(given as string));
  const bytes = key.export();
  if (looksLikeKeyFile(bytes)) {
    throw wrongKind(
      option,
      given,
      'It looks like a PEM, DER or JWK key, which others may know: use keys: [{ kid, alg, privateKey }], or a random secret.',
    );
  }
  if (bytes.byteLength >= minimum) return key;
  throw wrongKind(
    option,
    given,
    `${alg} needs at least ${minimum} bytes (RFC 7518 section 3.2), these are ${bytes.byteLength}. ${MAKE_A_SECRET}`,
  );
}

/** Why the value cannot be a secret. */
function flawOfSecret(given: unknown): string | undefined {
  if (typeof given === 'string') {
    if (given.isWellFormed()) return undefined;
    return 'It holds half a character (a lone surrogate): give bytes, not text.';
  }
  if (types.isUint8Array(given)) return undefined;
  if (types.isKeyObject(given)) {
    if (given.type === 'secret') return undefined;
    return "A key pair is no secret: use keys: [{ kid, alg: 'ES256', privateKey }].";
  }
  if (typeof given === 'function' || types.isPromise(given))
    return "Secrets that are fetched come from keys: async () => [{ alg: 'HS256', secret }].";
  return `Give a string, a Buffer, or createSecretKey(…). ${MAKE_A_SECRET}`;
}

/** An HS256 key. Its `kid` is derived from the secret. */
export function hmacKey(secret: KeyObject): AuthKey {
  const key = { kid: secretKid(secret), verify: secret, sign: secret, secretHalf: secret };
  return Object.freeze({ alg: 'HS256', ...key });
}

/**
 * Checks the option `subjectHashKey`. The key in use is derived from it (HKDF, RFC 5869), so that the same
 * secret may be used elsewhere.
 */
export function subjectHashKey(given: unknown, path: string): KeyObject | undefined {
  if (given === undefined) return undefined;
  return createSecretKey(deriveKey(readSecret(given, path, 'HMAC-SHA256', 32), 'subject-hash'));
}

/** Derives a key for one purpose from a secret or a private key (HKDF). It is the same on every instance. */
export function deriveKey(key: KeyObject, purpose: string): Buffer {
  const bytes = key.type === 'secret' ? key.export() : key.export({ type: 'pkcs8', format: 'der' });
  return Buffer.from(hkdfSync('sha256', bytes, '', `nestjs-logout/${purpose}`, 32));
}

/**
 * Whether a secret looks like a PEM, DER, JWK or SSH key. It is only used to refuse a secret, never to guess
 * what a key is: the name of the property (`secret`, `privateKey`, `publicKey`) decides that.
 */
function looksLikeKeyFile(bytes: Buffer): boolean {
  const text = bytes.toString('latin1').trim();
  if (/-----BEGIN|BEGIN [A-Z ]{0,30}(?:PUBLIC KEY|PRIVATE KEY|CERTIFICATE)/i.test(text))
    return true;
  if (/^ssh-|^ecdsa-sha2-/.test(text)) return true;
  // The UTF-8 byte order mark, read as latin1. Some editors write it before JSON.
  if (isJsonObject(text.replace(/^\u00ef\u00bb\u00bf/, ''))) return true;
  return isDer(bytes) || (/^M[A-P]/.test(text) && isDer(Buffer.from(text, 'base64')));
}

function isJsonObject(text: string): boolean {
  return /^[[{]/.test(text) && succeeds(() => void JSON.parse(text));
}

/** Whether it is an ASN.1 SEQUENCE that one of the parsers accepts. */
function isDer(key: Buffer): boolean {
  if (key[0] !== 0x30) return false;
  const format = 'der';
  return (
    (['spki', 'pkcs1'] as const).some((type) =>
      succeeds(() => void createPublicKey({ key, format, type })),
    ) ||
    (['pkcs8', 'pkcs1', 'sec1'] as const).some((type) =>
      succeeds(() => void createPrivateKey({ key, format, type })),
    )
  );
}

function succeeds(attempt: () => void): boolean {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}

/**
 * Reads one half of a key pair as a KeyObject.
 *
 * @throws InvalidAuthOptionsError if it is the other half, or cannot be read.
 */
export function readKeyHalf(given: unknown, option: string, half: 'private' | 'public'): KeyObject {
  if (types.isKeyObject(given)) {
    if (given.type === half) return given;
    const fix = `Give the ${half} half, or name the property by what it is.`;
    throw wrongKind(option, given, fix);
  }
  const pem = types.isUint8Array(given) ? Buffer.from(given).toString('latin1') : given;
  const flaw = flawOfPem(pem, half);
  if (flaw !== undefined) throw wrongKind(option, given, flaw);
  try {
    return half === 'private' ? createPrivateKey(pem as string) : createPublicKey(pem as string);
  } catch {
    // The parser's own error is not repeated, because it may contain parts of the key.
    throw wrongKind(
      option,
      given,
      String(pem).includes('\\n')
        ? String.raw`It holds \n as two characters: use pem.replaceAll('\\n', '\n').`
        : 'It cannot be read: the PEM text is damaged or cut off.',
    );
  }
}

/** Why the value cannot be the PEM text of this half. */
function flawOfPem(pem: unknown, half: 'private' | 'public'): string | undefined {
  const create = half === 'private' ? 'createPrivateKey' : 'createPublicKey';
  if (typeof pem !== 'string')
    return `Give PEM text, a Buffer of it, or ${create}({ key: jwk, format: 'jwk' }).`;
  if (!pem.includes('-----BEGIN'))
    return `It is not PEM. For DER or a JWK call ${create}() of node:crypto and give the KeyObject.`;
  if (half === 'private' && /ENCRYPTED/.test(pem))
    return 'It is encrypted: give createPrivateKey({ key: pem, passphrase }).';
  const holds = /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----/.test(pem) ? 'private' : 'public';
  // createPublicKey() would accept a private key, and hide that a private key was deployed here.
  if (holds !== half) return `It is not a ${half} key: give the ${half} half of the pair.`;
  if (pem.includes('-----BEGIN CERTIFICATE'))
    return 'It is a certificate: give new X509Certificate(pem).publicKey.';
  return undefined;
}

/** The least bytes of an HMAC secret: the size of the hash (RFC 7518 section 3.2). @internal */
export const MINIMUM_SECRET_BYTES: ReadonlyMap<string, number> = new Map([
  ['HS256', 32],
  ['HS384', 48],
  ['HS512', 64],
]);

const CURVES: ReadonlyMap<string, readonly [openssl: string, nist: string]> = new Map([
  ['ES256', ['prime256v1', 'P-256']],
  ['ES384', ['secp384r1', 'P-384']],
]);

/** The least bits of an RSA key (RFC 7518 section 3.3), also of one that only verifies. */
const MINIMUM_RSA_BITS = 2048;

/**
 * Why the half of a key pair cannot be used with this algorithm, as the sentence with the fix; `undefined` if
 * it can (RFC 7518 sections 3.3 to 3.5, RFC 8725 section 3.1).
 *
 * @internal
 */
export function misfit(key: KeyObject, alg: SigningAlgorithm): string | undefined {
  const type = key.asymmetricKeyType;
  const details = key.asymmetricKeyDetails ?? {};
  const curve = CURVES.get(alg);
  if (curve !== undefined) {
    if (type === 'ec' && details.namedCurve === curve[0]) return undefined;
    return `${alg} needs an EC key on the curve ${curve[1]}, this is ${describe(key)}.`;
  }
  const isPss = alg.startsWith('PS');
  if (type !== 'rsa' && !(isPss && type === 'rsa-pss'))
    return `${alg} needs an RSA key, this is ${describe(key)}.`;
  const bits = details.modulusLength ?? 0;
  if (bits < MINIMUM_RSA_BITS)
    return `${alg} needs an RSA key of at least ${MINIMUM_RSA_BITS} bits (RFC 7518 section 3.3), this has ${bits}.`;
  const weakness = weaknessOf(key, details.publicExponent ?? 0n);
  if (weakness !== undefined) return `${alg} needs an RSA key ${weakness}. Make a new key pair.`;
  if (type === 'rsa') return undefined;

  // An rsa-pss key contains the hash that it is for. jsonwebtoken refuses a key without one.
  const hash = `sha${alg.slice(2)}`;
  const hashFits = details.hashAlgorithm === hash && details.mgf1HashAlgorithm === hash;
  if (hashFits && (details.saltLength ?? 0) <= Number(alg.slice(2)) / 8) return undefined;
  return `${alg} needs an rsa-pss key that is made for ${hash} with ${hash} as MGF1 hash; a plain RSA key fits all of them.`;
}

/**
 * Finds RSA keys that OpenSSL accepts although others than the owner can sign with them. With the exponent 1,
 * every text is its own signature. An even modulus can be factored at once (FIPS 186-5 section A.1.1).
 */
function weaknessOf(key: KeyObject, exponent: bigint): string | undefined {
  if (exponent < 65_537n || exponent >= 1n << 256n || exponent % 2n === 0n) {
    return 'whose public exponent is odd, at least 65537 and below 2^256';
  }
  const half = key.type === 'private' ? createPublicKey(key) : key;
  const der = half.export({ type: 'spki', format: 'der' });
  // The DER ends with the modulus and the exponent. Before the exponent are its tag and its length, one byte
  // each, so the last byte of the modulus is in front of those.
  const hex = exponent.toString(16);
  const bytes = (hex.length >> 1) + 1;
  const last = der[der.length - 2 - bytes - 1] ?? 0;
  return last % 2 === 1 ? undefined : 'whose modulus is odd';
}

function describe(key: KeyObject): string {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  return `of type ${key.asymmetricKeyType}${curve === undefined ? '' : ` on ${curve}`}`;
}
