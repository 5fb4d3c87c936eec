import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { KeyRing, KeyService } from '../../../lib/authentication/key-ring.js';
import { TokenVerifier } from '../../../lib/authentication/token-verifier.js';
import { VerifiedTokens } from '../../../lib/authentication/verified-tokens.js';
import type { AuthKey } from '../../../lib/options/auth-key.js';
import {
  asymmetricKey,
  claimsAt,
  FakeRevocation,
  hmacKey,
  mint,
  optionsWith,
} from '../../support/authentication-parts.js';

describe('KeyRing', () => {
  const [one, two, three] = [hmacKey('one'), hmacKey('two'), hmacKey('three', 'HS512')] as const;
  let keys: readonly AuthKey[];
  let revocation: FakeRevocation;
  let ring: KeyRing;
  let service: KeyService;
  let verifier: TokenVerifier;

  beforeAll(() => Logger.overrideLogger(false));
  beforeEach(async () => {
    keys = [one, two];
    revocation = new FakeRevocation();
    const options = optionsWith([], { loadKeys: () => Promise.resolve(keys) });
    const fake = revocation as never;
    ring = await KeyRing.create(options, fake, fake);
    verifier = new TokenVerifier(options, ring, new VerifiedTokens(options), fake, fake, fake);
    service = new KeyService(ring);
  });

  it('a key ring signs with the first key that can sign and is not revoked', () => {
    expect(ring.signingKey()).toBe(one);
    revocation.revokedKeys.add('one');
    expect(ring.signingKey()).toBe(two);
    revocation.revokedKeys.add('two');
    expect(() => ring.signingKey()).toThrow(expect.objectContaining({ code: 'no_signing_key' }));
  });

  it('a key ring may hold only keys that verify', async () => {
    keys = [{ ...one, sign: null }];
    await service.reload();
    expect(() => ring.signingKey()).toThrow(expect.objectContaining({ status: 503 }));
    expect(ring.find('one')?.key.verify).toBe(one.verify);
  });

  it('a key ring finds keys by the exact kid, and by the header that this library writes', () => {
    expect(ring.find('one')?.key).toBe(one);
    for (const kid of ['ONE', 'one ', '__proto__', 'constructor', '']) {
      expect(ring.find(kid)).toBeUndefined();
    }
    const [header = ''] = mint(two, claimsAt(revocation.time)).split('.');
    expect(ring.byHeader.get(header)?.key).toBe(two);
    expect(ring.byHeader.get(`${header}A`)).toBeUndefined();
  });

  it('a key that is left out at reload verifies until its last token has expired', async () => {
    const token = mint(one, claimsAt(revocation.time));
    keys = [three];
    await service.reload();
    expect(ring.signingKey()).toBe(three);
    expect(ring.algorithms).toEqual(['HS512', 'HS256']);
    revocation.time += 304_999;
    expect(ring.find('one')?.key).toBe(one);
    expect(verifier.verify(token).key).toBe(one);
    // A second reload does not start the time again.
    await service.reload();
    revocation.time += 1;
    expect(ring.find('one')).toBeUndefined();
    expect(() => verifier.verify(token)).toThrow(
      expect.objectContaining({ code: 'token_invalid' }),
    );
    await service.reload();
    expect(ring.algorithms).toEqual(['HS512']);
  });

  it('a key that comes back is in use again', async () => {
    keys = [two];
    await service.reload();
    keys = [one, two];
    await service.reload();
    expect(ring.signingKey()).toBe(one);
    revocation.time += 86_400_000;
    expect(ring.find('one')?.key).toBe(one);
  });

  it('bad new keys are an error, and leave the ring as it was', async () => {
    const bad: AuthKey[][] = [[hmacKey('one')], [asymmetricKey('one', 'RS256')]];
    for (const other of bad) {
      keys = other;
      await expect(service.reload()).rejects.toThrow(/"one" is now used for another key/);
    }
    Object.defineProperty(ring, 'options', {
      value: optionsWith([], { loadKeys: () => Promise.reject(new Error('vault')) }),
    });
    await expect(service.reload()).rejects.toThrow('vault');
    expect(ring.signingKey()).toBe(one);
    expect(ring.find('two')?.key).toBe(two);
  });

  it('a retired key signs nothing more, verifies for a while, and stays retired', async () => {
    await service.retire('one');
    expect(ring.signingKey()).toBe(two);
    expect(ring.find('one')?.key).toBe(one);
    await service.reload();
    expect(ring.signingKey()).toBe(two);
    revocation.time += 305_000;
    expect(ring.find('one')).toBeUndefined();
    await service.reload();
    expect(ring.find('one')).toBeUndefined();
    await expect(service.retire('never')).rejects.toThrow(/"never"/);
  });
});
