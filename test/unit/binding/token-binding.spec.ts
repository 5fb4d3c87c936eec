import { describe, expect, it } from '@jest/globals';
import { createSecretKey, randomBytes } from 'node:crypto';
import { TestClock } from 'nestjs-logout/testing';
import { TokenBinding } from '../../../lib/binding/token-binding.js';
import type { AuthException } from '../../../lib/errors/auth.exception.js';
import type { AuthKey } from '../../../lib/options/auth-key.js';
import { binding, type BindingOptions } from '../../../lib/options/binding-option.js';

/** As the module creates it, with a ring of so many secrets. */
function create(given: BindingOptions, secrets: number): Promise<TokenBinding | null> {
  const halves = Array.from({ length: secrets }, () => createSecretKey(randomBytes(32)));
  const keys = { secretHalves: () => halves, secretHalfOf: () => undefined };
  const events = { tell: () => undefined };
  return TokenBinding.create({ binding: binding(given, 'binding') }, keys, new TestClock(), events);
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
  ])('%s needs a key that is not public, and the boot says so', async (name, given) => {
    await expect(create(given, 0)).rejects.toThrow(`${name} needs a secret or a private key`);
    expect(await create(given, 1)).not.toBeNull();
  });

  it('DPoP needs no key: a proof is verified with the key in it', async () => {
    expect(await create({ dpop: 'required' }, 0)).not.toBeNull();
  });
});

describe('a token', () => {
  const claims = { iss: 'i', sub: 'alice', jti: 'j', exp: 2, iat: 1 };
  const check = async (given: BindingOptions, more: object, kid: string): Promise<unknown> => {
    const binder = await create(given, 1);
    const key = { kid } as AuthKey;
    const request = { headers: {}, ip: '203.0.113.7' };
    try {
      await binder?.check(request, { text: 'a.b.c', claims: { ...claims, ...more }, key });
      return 'accepted';
    } catch (error) {
      return (error as AuthException).code;
    }
  };

  it('a token whose digest was made by an unknown key is refused, and is no error', async () => {
    const cnf = { net: 'A'.repeat(22) };
    expect(await check({ ip: 'network' }, { sid: 's', cnf }, '')).toBe('binding_mismatch');
  });

  it('the token of a login needs a key if all clients must have one, and an API token does not', async () => {
    expect(await check({ dpop: 'required' }, { sid: 's' }, 'kid')).toBe('binding_mismatch');
    expect(await check({ dpop: 'required' }, { sid: 's' }, '')).toBe('binding_mismatch');
    expect(await check({ dpop: 'required' }, {}, '')).toBe('accepted');
  });
});

describe('a login', () => {
  it('a login with a Fetch request, whose proof would not be seen, is an error of the application', async () => {
    const binder = await create({ dpop: 'optional' }, 1);
    const request = new Request('https://shop.example/login', { headers: { DPoP: 'a.b.c' } });
    const shown = { dpop: request as never };
    await expect(binder?.proveKey(shown)).rejects.toThrow('Fetch request');
  });
});
