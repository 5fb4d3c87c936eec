import { createPublicKey, type KeyObject } from 'node:crypto';
import type { SigningAlgorithm } from './auth-key.js';

/** Bytes that an HMAC secret must have: the size of its hash (RFC 7518 section 3.2). @internal */
export const MINIMUM_SECRET_BYTES: ReadonlyMap<string, number> = new Map([
  ['HS256', 32],
  ['HS384', 48],
  ['HS512', 64],
]);

const CURVES: ReadonlyMap<string, readonly [openssl: string, nist: string]> = new Map([
  ['ES256', ['prime256v1', 'P-256']],
  ['ES384', ['secp384r1', 'P-384']],
]);

/** One size for signing and verifying: a short key is broken from either side. */
const MINIMUM_RSA_BITS = 2048;

/**
 * Why a half of a key pair cannot be used with this algorithm, as the sentence that mends it;
 * undefined when it fits (RFC 7518 sections 3.3 to 3.5, RFC 8725 section 3.1).
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

  // A key made for RSA-PSS says which hash it is for; jsonwebtoken refuses one that says nothing.
  const hash = `sha${alg.slice(2)}`;
  const hashFits = details.hashAlgorithm === hash && details.mgf1HashAlgorithm === hash;
  if (hashFits && (details.saltLength ?? 0) <= Number(alg.slice(2)) / 8) return undefined;
  return `${alg} needs an rsa-pss key that is made for ${hash} with ${hash} as MGF1 hash; a plain RSA key fits all of them.`;
}

/**
 * Numbers that OpenSSL takes, with which others than the owner can sign: with the exponent 1 every
 * text is its own signature, and an even modulus is factored at once (FIPS 186-5 section A.1.1).
 */
function weaknessOf(key: KeyObject, exponent: bigint): string | undefined {
  if (exponent < 65_537n || exponent >= 1n << 256n || exponent % 2n === 0n) {
    return 'whose public exponent is odd, at least 65537 and below 2^256';
  }
  const half = key.type === 'private' ? createPublicKey(key) : key;
  const der = half.export({ type: 'spki', format: 'der' });
  // The key ends with two integers, modulus and exponent; the exponent takes its tag and length too.
  const hex = exponent.toString(16);
  const bytes = (hex.length >> 1) + 1;
  const last = der[der.length - 2 - bytes - 1] ?? 0;
  return last % 2 === 1 ? undefined : 'whose modulus is odd';
}

function describe(key: KeyObject): string {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  return `of type ${key.asymmetricKeyType}${curve === undefined ? '' : ` on ${curve}`}`;
}
