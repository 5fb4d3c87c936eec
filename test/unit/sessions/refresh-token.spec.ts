import { describe, expect, it } from '@jest/globals';
import { createPrivateKey, createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  checkKeyOf,
  hasCheckValueOf,
  isRefreshToken,
  newRefreshToken,
  openSuccessor,
  refreshTokenDigest,
  sealSuccessor,
} from '../../../lib/sessions/refresh-token.js';

const KEY = checkKeyOf(createSecretKey(randomBytes(32)));
const ONE = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8';

describe('a refresh token (RT-01, RT-02, RT-07)', () => {
  it('a refresh token is 192 random bits and a checksum, never twice, and no UUID', () => {
    const tokens = Array.from({ length: 100_000 }, () => newRefreshToken(KEY));
    expect(new Set(tokens).size).toBe(tokens.length);
    for (const token of tokens.slice(0, 1_000)) {
      expect(Buffer.from(token, 'base64url')).toHaveLength(32);
      expect(isRefreshToken(token)).toBe(true);
    }
    // Each bit is set about as often as not: no version, no time, no counter in it.
    const counts = new Uint32Array(256);
    for (const token of tokens) {
      for (const [i, byte] of Buffer.from(token, 'base64url').entries()) {
        for (let bit = 0; bit < 8; bit++) counts[i * 8 + bit]! += (byte >> bit) & 1;
      }
    }
    for (const count of counts) expect(Math.abs(count / tokens.length - 0.5)).toBeLessThan(0.02);
  });

  it('a refresh token is recognised by the key that made it, also among others', () => {
    const token = newRefreshToken(KEY);
    const other = checkKeyOf(createSecretKey(randomBytes(32)));
    expect(hasCheckValueOf(token, [KEY])).toBe(true);
    expect(hasCheckValueOf(token, [other, KEY])).toBe(true);
    expect(hasCheckValueOf(token, [other])).toBe(false);
    expect(hasCheckValueOf(token, [])).toBe(false);
  });

  it.each([0, 23, 24, 31])(
    'a refresh token is not recognised when a bit of byte %i was changed',
    (place) => {
      const bytes = Buffer.from(newRefreshToken(KEY), 'base64url');
      bytes[place]! ^= 1;
      expect(hasCheckValueOf(bytes.toString('base64url'), [KEY])).toBe(false);
    },
  );

  it('a refresh token is recognised by every instance that holds the secret or the private key', () => {
    const secret = randomBytes(32);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    for (const [here, there] of [
      [createSecretKey(secret), createSecretKey(Buffer.from(secret))],
      [privateKey, createPrivateKey(pem)],
    ] as const) {
      expect(hasCheckValueOf(newRefreshToken(checkKeyOf(here)), [checkKeyOf(there)])).toBe(true);
    }
  });

  it('a refresh token has a checksum that another release computes too', () => {
    const key = checkKeyOf(createSecretKey(Buffer.alloc(32, 7)));
    // HKDF-SHA256(secret, salt '', 'nestjs-logout/refresh-check'), then HMAC-SHA256 of the 24 bytes.
    const token = Buffer.concat([Buffer.alloc(24, 1), Buffer.from('ca327b0008dbccf2', 'hex')]);
    expect(hasCheckValueOf(token.toString('base64url'), [key])).toBe(true);
  });

  it('a refresh token without a key has the same length, and is recognised by no key', () => {
    const token = newRefreshToken(undefined);
    expect(isRefreshToken(token)).toBe(true);
    expect(hasCheckValueOf(token, [KEY])).toBe(false);
  });

  it.each([
    ['', false],
    [`${ONE}A`, false],
    [ONE.slice(1), false],
    [`${ONE.slice(0, -1)}9`, false],
    [ONE.replace('A', '+'), false],
    ['a.b.c', false],
    [ONE, true],
  ])('%j as a refresh token: %s', (text, is) => {
    expect(isRefreshToken(text)).toBe(is);
  });

  it('a refresh token is stored as a SHA-256 that another release finds', () => {
    expect(refreshTokenDigest(ONE)).toBe(
      // printf 'nestjs-logout/refresh-token:AAEC…' | sha256sum
      '4732a8f21944842abdd943c36a47def63f30f59ccdb322bf8c1c10dd63f03d9b',
    );
  });

  it('a refresh token decrypts its successor, and nothing else does', () => {
    const successor = newRefreshToken(KEY);
    const sealed = sealSuccessor(ONE, successor);
    expect(Buffer.from(sealed, 'hex')).toHaveLength(60);
    expect(openSuccessor(ONE, sealed)).toBe(successor);
    expect(sealSuccessor(ONE, successor)).not.toBe(sealed);
    expect(() => openSuccessor(newRefreshToken(KEY), sealed)).toThrow('authenticate');
    const changed = sealed.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
    expect(() => openSuccessor(ONE, changed)).toThrow('authenticate');
  });
});
