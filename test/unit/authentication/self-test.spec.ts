import { describe, expect, it, jest } from '@jest/globals';
import { Test } from '@nestjs/testing';
import type { ResolvedAuthOptions } from '../../../lib/options/resolved-auth-options.js';
import {
  asymmetricKey,
  authentication,
  FakeRevocation,
  hmacKey,
  optionsWith,
} from '../../support/authentication-parts.js';

const other = asymmetricKey('k', 'ES256');
const boot = async (options: ResolvedAuthOptions): Promise<void> => {
  const module = await Test.createTestingModule({
    imports: [authentication(options, new FakeRevocation())],
  }).compile();
  try {
    await module.init();
  } finally {
    await module.close();
  }
};

describe('JW-14: the self-test at boot', () => {
  it('the self-test passes with keys of every algorithm, and calls nothing of the application', async () => {
    const validate = jest.fn();
    for (const key of [
      hmacKey('k', 'HS256'),
      hmacKey('k', 'HS384'),
      hmacKey('k', 'HS512'),
      ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384'] as const).map(
        (alg) => asymmetricKey('k', alg),
      ),
    ]) {
      await boot(optionsWith([key], { validate }));
    }
    expect(validate).not.toHaveBeenCalled();
  });

  it('the self-test is skipped if no key signs', async () => {
    await boot(optionsWith([{ ...other, sign: null }]));
  });

  it('the self-test stops the boot if the halves of a key pair do not belong together', async () => {
    const rsa = asymmetricKey('k', 'RS256');
    const stranger = asymmetricKey('k', 'ES384');
    await expect(boot(optionsWith([{ ...rsa, verify: stranger.verify }]))).rejects.toThrow(
      /self-test of authentication failed: a valid token is refused/,
    );
  });
});
