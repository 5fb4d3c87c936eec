import { describe, expect, it } from '@jest/globals';
import { createSecretKey, randomBytes } from 'node:crypto';
import { TestClock } from 'nestjs-logout/testing';
import { TokenBinding } from '../../../lib/binding/token-binding.js';
import { binding, type BindingOptions } from '../../../lib/options/binding-option.js';

/** As the module makes it, with a ring of so many secrets. */
function create(given: BindingOptions, secrets: number): Promise<TokenBinding | null> {
  const halves = Array.from({ length: secrets }, () => createSecretKey(randomBytes(32)));
  const keys = { secretHalves: () => halves, secretHalfOf: () => undefined };
  return TokenBinding.create(binding(given, 'binding'), keys, new TestClock());
}

describe('the option binding at boot', () => {
  it.each<BindingOptions>([{}, { ip: 'off' }, { clients: {} }, { clients: { web: {} } }])(
    '%j binds nothing, so nothing is checked',
    async (given) => {
      expect(await create(given, 1)).toBeNull();
    },
  );

  it.each<[string, BindingOptions]>([
    ['binding.ip', { ip: 'exact' }],
    ['binding.nonce', { dpop: 'optional', nonce: true }],
  ])('%s needs a key that is not public: the boot says so', async (name, given) => {
    await expect(create(given, 0)).rejects.toThrow(`${name} needs a secret or a private key`);
    expect(await create(given, 1)).not.toBeNull();
  });

  it('DPoP needs none: a proof is verified with the key in it', async () => {
    expect(await create({ dpop: 'required' }, 0)).not.toBeNull();
  });
});
