import { describe, expect, it } from '@jest/globals';
import { AuthException } from '../../../lib/errors/auth.exception.js';
import { AuthWiringError } from '../../../lib/errors/auth-wiring.error.js';
import { assertRecentLogin, RecentLogin } from '../../../lib/revocation/recent-login.js';

const NOW = 1_800_000_000_000;

describe('@RecentLogin()', () => {
  it.each([0, -1, 0.5, '900', '5 m', '500ms', '', NaN, Infinity, null, undefined, {}])(
    '@RecentLogin() refuses %p when the class is loaded, and says what to write',
    (given) => {
      const decorate = (): unknown => RecentLogin(given as never)(class {});
      expect(decorate).toThrow(AuthWiringError);
      expect(decorate).toThrow('Potential solutions');
    },
  );

  it.each([
    [300, 0, 'accepted'],
    [300, 300, 'accepted'],
    [300, 301, 'login_too_old'],
    [1, 2, 'login_too_old'],
    // The clocks of two hosts may differ a little.
    [300, -5, 'accepted'],
    // A time further ahead means nothing: it would stay recent until that time.
    [300, -301, 'login_too_old'],
  ])('@RecentLogin() of %i s decides about a login %i s ago: %s', (most, ago, expected) => {
    expect(judge({ auth_time: NOW / 1_000 - ago }, most)).toBe(expected);
  });

  // The last as another issuer may write it, in milliseconds.
  it.each([undefined, null, '1800000000', NaN, {}, true, NOW])(
    '@RecentLogin() refuses a token whose auth_time is %p',
    (time) => {
      expect(judge({ auth_time: time }, 300)).toBe('login_too_old');
    },
  );
});

function judge(claims: object, most: number): string {
  try {
    assertRecentLogin(claims, most * 1_000, NOW);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof AuthException)) throw error;
    expect(error.maxAge).toBe(most);
    return error.code;
  }
}
