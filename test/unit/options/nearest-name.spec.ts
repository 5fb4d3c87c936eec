import { describe, expect, it } from '@jest/globals';
import { nearestName } from '../../../lib/options/option-checks.js';

const KNOWN = ['issuer', 'audience', 'accessTokenTtl', 'maxStaleness', 'keys'];

describe('the nearest name', () => {
  it.each([
    ['isuer', 'issuer'],
    ['Audience', 'audience'],
    ['access_token_ttl', 'accessTokenTtl'],
    ['accessTokenTTL', 'accessTokenTtl'],
    ['maxStalness', 'maxStaleness'],
    ['key', 'keys'],
  ])('the nearest name of %s is %s', (given, meant) => {
    expect(nearestName(given, KNOWN)).toBe(meant);
  });

  it.each(['', 'cookies', 'toString', 'a'.repeat(1_000_000)])(
    'no name is suggested for %.20s',
    (given) => {
      expect(nearestName(given, KNOWN)).toBeUndefined();
    },
  );
});
