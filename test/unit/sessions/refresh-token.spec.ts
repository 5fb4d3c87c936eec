import { describe, expect, it } from '@jest/globals';
import {
  isRefreshToken,
  newRefreshToken,
  openSuccessor,
  refreshTokenDigest,
  sealSuccessor,
} from '../../../lib/sessions/refresh-token.js';

const ONE = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8';

describe('a refresh token (RT-01, RT-02, RT-07)', () => {
  it('is 256 random bits, never twice, and no UUID', () => {
    const tokens = Array.from({ length: 100_000 }, newRefreshToken);
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

  it.each([
    ['', false],
    [`${ONE}A`, false],
    [ONE.slice(1), false],
    [`${ONE.slice(0, -1)}9`, false],
    [ONE.replace('A', '+'), false],
    ['a.b.c', false],
    [ONE, true],
  ])('%j is one: %s', (text, is) => {
    expect(isRefreshToken(text)).toBe(is);
  });

  it('is stored as a SHA-256 that another release finds again', () => {
    expect(refreshTokenDigest(ONE)).toBe(
      // printf 'nestjs-logout/refresh-token:AAEC…' | sha256sum
      '4732a8f21944842abdd943c36a47def63f30f59ccdb322bf8c1c10dd63f03d9b',
    );
  });

  it('opens its successor, and nothing else does', () => {
    const successor = newRefreshToken();
    const sealed = sealSuccessor(ONE, successor);
    expect(Buffer.from(sealed, 'hex')).toHaveLength(60);
    expect(openSuccessor(ONE, sealed)).toBe(successor);
    expect(sealSuccessor(ONE, successor)).not.toBe(sealed);
    expect(() => openSuccessor(newRefreshToken(), sealed)).toThrow('authenticate');
    const changed = sealed.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
    expect(() => openSuccessor(ONE, changed)).toThrow('authenticate');
  });
});
