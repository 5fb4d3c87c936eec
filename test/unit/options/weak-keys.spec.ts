import { describe, expect, it } from '@jest/globals';
import { createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';
import { resolveAuthKeys } from '../../../lib/options/resolve-auth-keys.js';
import { catchInvalid } from './catch-invalid.js';
import { p256, p384, rsa } from './key-samples.js';

const good = rsa.publicKey.export({ format: 'jwk' });
const modulus = Buffer.from(good.n ?? '', 'base64url');

function rsaWith(change: Partial<JsonWebKey>): KeyObject {
  return createPublicKey({ key: { ...good, ...change }, format: 'jwk' });
}

function exponent(value: bigint): string {
  const hex = value.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url');
}

function evenModulus(): string {
  const even = Buffer.from(modulus);
  even[even.length - 1]! &= 0xfe;
  return even.toString('base64url');
}

const cube = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 });
const cubePss = generateKeyPairSync('rsa-pss', {
  modulusLength: 2048,
  publicExponent: 3,
  hashAlgorithm: 'sha256',
  mgf1HashAlgorithm: 'sha256',
});

/** As text, because Node refuses to create a KeyObject from it. */
function pemOf(der: Buffer): string {
  return `-----BEGIN PUBLIC KEY-----\n${der.toString('base64')}\n-----END PUBLIC KEY-----\n`;
}

function offCurve(
  { publicKey }: { publicKey: KeyObject },
  change: (point: Buffer) => void,
): string {
  const der = Buffer.from(publicKey.export({ type: 'spki', format: 'der' }));
  const size = publicKey.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? 64 : 96;
  change(der.subarray(der.length - size));
  return pemOf(der);
}

const EXPONENT = 'whose public exponent is odd, at least 65537';
const MODULUS = 'whose modulus is odd';
const UNREADABLE = 'cannot be read';

const WEAK: readonly [name: string, alg: string, publicKey: KeyObject | string, fix: string][] = [
  ['RSA with the exponent 0', 'RS256', rsaWith({ e: exponent(0n) }), EXPONENT],
  ['RSA with the exponent 1', 'RS256', rsaWith({ e: exponent(1n) }), EXPONENT],
  ['RSA with the exponent 1', 'PS256', rsaWith({ e: exponent(1n) }), EXPONENT],
  ['RSA with the exponent 2', 'RS256', rsaWith({ e: exponent(2n) }), EXPONENT],
  ['RSA with the exponent 3', 'RS512', cube.publicKey, EXPONENT],
  ['RSA-PSS with the exponent 3', 'PS256', cubePss.publicKey, EXPONENT],
  ['RSA with the exponent 65535', 'RS256', rsaWith({ e: exponent(65_535n) }), EXPONENT],
  ['RSA with the exponent 65536', 'RS256', rsaWith({ e: exponent(65_536n) }), EXPONENT],
  ['RSA with an even large exponent', 'RS256', rsaWith({ e: exponent(1n << 40n) }), EXPONENT],
  [
    'RSA with the exponent 2^256 + 1',
    'RS256',
    rsaWith({ e: exponent((1n << 256n) + 1n) }),
    EXPONENT,
  ],
  ['RSA with an even modulus', 'RS256', rsaWith({ n: evenModulus() }), MODULUS],
  ['RSA with an even modulus', 'PS512', rsaWith({ n: evenModulus() }), MODULUS],
  [
    'RSA with an even modulus and a long exponent',
    'RS256',
    rsaWith({ n: evenModulus(), e: exponent((1n << 255n) + 1n) }),
    MODULUS,
  ],
  ['P-256 with a point off the curve', 'ES256', offCurve(p256, (at) => (at[63]! ^= 1)), UNREADABLE],
  ['P-384 with a point off the curve', 'ES384', offCurve(p384, (at) => (at[0]! ^= 1)), UNREADABLE],
  ['P-256 with the point (0, 0)', 'ES256', offCurve(p256, (at) => at.fill(0)), UNREADABLE],
  ['P-256 with coordinates above p', 'ES256', offCurve(p256, (at) => at.fill(0xff)), UNREADABLE],
];

describe('key material that others can sign with', () => {
  it.each(WEAK)('%s stops the boot (%s)', (_name, alg, publicKey, fix) => {
    const [problem] = catchInvalid(() => resolveAuthKeys([{ kid: 'a', alg, publicKey }])).problems;
    expect(problem?.option).toBe('keys[0].publicKey');
    expect(problem?.fix).toContain(fix);
  });

  it('a private key with a small exponent stops the boot too', () => {
    const key = { kid: 'a', alg: 'RS256', privateKey: cube.privateKey };
    const [problem] = catchInvalid(() => resolveAuthKeys([key])).problems;
    expect(problem?.fix).toContain(EXPONENT);
  });

  it.each([
    ['65537', rsa.publicKey],
    ['2^16 + 3', rsaWith({ e: exponent(65_539n) })],
    ['an exponent whose first bit is set', rsaWith({ e: exponent(0x80_00_01n) })],
    ['2^255 + 1', rsaWith({ e: exponent((1n << 255n) + 1n) })],
  ])('the exponent %s is accepted', (_name, publicKey) => {
    expect(resolveAuthKeys([{ kid: 'a', alg: 'RS256', publicKey }])).toHaveLength(1);
  });
});
