import { Reflector } from '@nestjs/core';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { refusal } from '../errors/auth.exception.js';
import { type Duration, parseDuration } from '../options/duration.js';
import type { RouteTarget } from './staleness/freshness.decorators.js';

const SECOND = 1_000;

/**
 * Requires that the user authenticated within this time, by a login or by `sessions.confirm()`:
 * step-up authentication (RFC 9470). A valid token can come from an old login, because a refresh
 * asks for no password.
 *
 * The value is a number of seconds or a text such as `'5m'`, in whole seconds from 1. If the login
 * is older, or the token has no claim `auth_time`, the answer is 401 `login_too_old` with the
 * challenge `error="insufficient_user_authentication"` and `max_age`.
 *
 * Put it on a handler or a class; on a handler it overrides the class. `JwtAuthGuard` and
 * `RevocationGuard` check it, passport's own `AuthGuard('jwt')` does not check it. With
 * `@OptionalAuth()` a request without a token is accepted, and one with a token needs a recent
 * login. `@AllowExpired()` does not change that. `@Public()` on the same handler or class stops the
 * boot with an AuthWiringError.
 *
 * @throws AuthWiringError for an invalid duration, when the class is loaded.
 * @example
 * ```ts
 * @RecentLogin('5m') @Post('password') changePassword() { … }
 * ```
 * @publicApi
 */
export const RecentLogin = Reflector.createDecorator<Duration, number>({
  key: 'nestjs-logout:recent-login',
  transform: (given) => {
    const parsed = parseDuration(given);
    if (typeof parsed === 'number' && parsed >= SECOND && parsed % SECOND === 0) return parsed;
    throw new AuthWiringError(
      `@RecentLogin(${JSON.stringify(given) ?? ''}) cannot be used.`,
      typeof parsed === 'number' ? "Pass whole seconds from 1, such as 300, or '5m'." : parsed.fix,
    );
  },
});

const reflector = new Reflector();

/** How long ago the login may have been on a route (ms), or `undefined` if there is no limit. */
export function recentLoginOf(handler: RouteTarget, type: RouteTarget): number | undefined {
  return reflector.getAllAndOverride(RecentLogin, [handler, type]);
}

/**
 * Throws unless the login behind these claims was recent enough.
 *
 * @param maxAge - How long ago the login may have been (ms).
 * @param now - The time by which tokens expire (epoch ms), see `ProofClock.now()`.
 * @throws AuthUnauthorizedException `login_too_old`, also if `auth_time` is missing, is not a
 * number, or is further in the future than `maxAge`.
 */
export function assertRecentLogin(claims: object, maxAge: number, now: number): void {
  const { auth_time: time } = claims as { readonly auth_time?: unknown };
  // The absolute value also rejects an `auth_time` far in the future. A verifier that writes
  // milliseconds by mistake would otherwise count as recent for ever.
  if (typeof time === 'number' && Math.abs(now - time * SECOND) <= maxAge) return;
  throw refusal('login_too_old', { maxAge: maxAge / SECOND });
}
