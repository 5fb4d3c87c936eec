import { describe, expect, it } from '@jest/globals';
import { createHmac, createSecretKey } from 'node:crypto';
import { secretKid } from '../../../lib/options/key-material.js';
import { InvalidAuthOptionsError } from '../../../lib/errors/auth-wiring.error.js';
import { resolveAuthKeys } from '../../../lib/options/resolve-auth-keys.js';
import { BAD_KEYS } from './bad-keys.js';
import { catchInvalid, expectNoSecret } from './catch-invalid.js';
import * as sample from './key-samples.js';

describe('bad keys', () => {
  it.each(BAD_KEYS)('a key is refused: %s', (_name, keys, option, fix) => {
    const error = catchInvalid(() => resolveAuthKeys(keys));
    const problem = error.problems.find((one) => one.option === option);
    expect(problem?.fix).toContain(fix);
    expect(error.message).toContain(`${option}: ${problem?.given} was given.`);
    expectNoSecret(error.message);
  });
});

describe('good keys', () => {
  it('a secret becomes one KeyObject that signs and verifies', () => {
    const [key] = resolveAuthKeys([{ kid: 'a', alg: 'HS256', secret: sample.secret }]);
    expect(key).toMatchObject({ kid: 'a', alg: 'HS256' });
    expect(key?.sign).toBe(key?.verify);
    expect(key?.verify.export().toString()).toBe(sample.secret);
  });

  it.each([
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ])('%s accepts a secret of exactly %i bytes', (alg, size) => {
    const bytes = Buffer.alloc(size, 0xc3);
    const forms = [bytes, new Uint8Array(bytes), createSecretKey(bytes)];
    for (const secret of forms)
      expect(resolveAuthKeys([{ alg, secret }])[0]?.verify.export()).toEqual(bytes);
  });

  it('a secret is measured in bytes, not characters', () => {
    expect(resolveAuthKeys([{ alg: 'HS256', secret: 'é'.repeat(16) }])).toHaveLength(1);
  });

  it('a secret without kid gets a kid', () => {
    const kid = createHmac('sha256', sample.secret).update('nestjs-logout/kid').digest('hex');
    const [key] = resolveAuthKeys([{ alg: 'HS512', secret: Buffer.from(sample.secret) }]);
    expect(key?.kid).toBe(kid.slice(0, 16));
    expect(secretKid(createSecretKey(sample.secret, 'utf8'))).toBe(key?.kid);
  });

  it.each([
    ['RS256', sample.rsa],
    ['RS384', sample.rsa],
    ['RS512', sample.rsa],
    ['PS256', sample.rsa],
    ['PS384', sample.rsa],
    ['PS512', sample.rsa],
    ['PS256', sample.pss256],
    ['ES256', sample.p256],
    ['ES384', sample.p384],
  ])('both halves of a key are accepted for %s', (alg, { privateKey, publicKey }) => {
    const [signer] = resolveAuthKeys([{ kid: 'a', alg, privateKey }]);
    expect(signer?.sign?.type).toBe('private');
    expect(signer?.verify.equals(publicKey)).toBe(true);
    const [verifier] = resolveAuthKeys([{ kid: 'a', alg, publicKey }]);
    expect(verifier?.sign).toBeNull();
    expect(verifier?.verify.equals(publicKey)).toBe(true);
  });

  it('PEM is accepted as text and as bytes, also with older headers', () => {
    const { privateKey } = sample.p256;
    const sec1 = privateKey.export({ type: 'sec1', format: 'pem' });
    for (const pem of [sample.privatePem, Buffer.from(sample.privatePem), sec1])
      expect(
        resolveAuthKeys([{ kid: 'a', alg: 'ES256', privateKey: pem }])[0]?.sign?.equals(privateKey),
      ).toBe(true);
    const pkcs1 = sample.rsa.publicKey.export({ type: 'pkcs1', format: 'pem' });
    expect(resolveAuthKeys([{ kid: 'a', alg: 'RS256', publicKey: pkcs1 }])).toHaveLength(1);
  });

  it('a key whose use is verify never signs', () => {
    const keys = resolveAuthKeys([
      { kid: 'new', alg: 'ES256', privateKey: sample.p256.privateKey },
      { kid: 'old', alg: 'ES384', privateKey: sample.p384.privateKey, use: 'verify' },
    ]);
    expect(keys.map(({ kid, sign }) => [kid, sign?.type])).toEqual([
      ['new', 'private'],
      ['old', undefined],
    ]);
  });

  it('resolved keys are frozen, and a buffer that is changed later changes nothing', () => {
    const bytes = Buffer.alloc(32, 1);
    const keys = resolveAuthKeys([{ kid: 'a', alg: 'HS256', secret: bytes }]);
    bytes.fill(2);
    expect(keys[0]?.verify.export()).toEqual(Buffer.alloc(32, 1));
    expect(Object.isFrozen(keys) && Object.isFrozen(keys[0])).toBe(true);
  });

  it('kids that are names of object members are accepted', () => {
    const keys = resolveAuthKeys([
      { kid: '__proto__', alg: 'HS256', secret: sample.secret },
      { kid: 'constructor', alg: 'HS256', secret: sample.otherSecret },
    ]);
    expect(keys.map(({ kid }) => kid)).toEqual(['__proto__', 'constructor']);
  });

  it('every problem of every key is listed at once', () => {
    const error = catchInvalid(() =>
      resolveAuthKeys([{ alg: 'none', secret: 'x', use: 'enc' }, { kid: '' }]),
    );
    expect(error).toBeInstanceOf(InvalidAuthOptionsError);
    expect(error.problems.map(({ option }) => option)).toEqual([
      'keys[0].alg',
      'keys[0].use',
      'keys[1].alg',
      'keys[1].kid',
      'keys[1]',
    ]);
  });
});
