import { Reflector } from '@nestjs/core';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { RecentLogin } from '../revocation/recent-login.js';
import {
  Freshness,
  type RouteTarget,
  WhenStale,
} from '../revocation/staleness/freshness.decorators.js';
import { AllowExpired, OptionalAuth } from './decorators.js';

/** Decorators by their names. */
type Decorators = readonly (readonly [name: string, decorator: { readonly KEY: string }])[];

/**
 * Decorators that contradict `@Public()`. `@Freshness()` and `@WhenStale()` do not: a RevocationGuard obeys
 * them on a route that another library authenticates.
 */
export const READS_TOKEN: Decorators = Object.entries({ OptionalAuth, AllowExpired, RecentLogin });

/** Decorators that contradict `@AllowExpired()`, which accepts revoked tokens and so needs no proof. */
export const NEEDS_PROOF: Decorators = Object.entries({ Freshness, WhenStale });

const reflector = new Reflector();

/** Whether one of these decorators is on the handler or class itself, whatever its value. */
export function hasAny(target: RouteTarget, decorators: Decorators): boolean {
  return decorators.some(([, { KEY }]) => reflector.get<unknown>(KEY, target) !== undefined);
}

/**
 * Refuses two decorators of which one makes the other do nothing. If one is on the handler and the other on
 * its class, they do not contradict each other: the handler's applies.
 *
 * @throws AuthWiringError for two decorators of one handler, or of one class, that contradict each other.
 */
export function refuseContradiction(
  handler: RouteTarget,
  type: RouteTarget,
  isPublic: (target: RouteTarget) => boolean,
): void {
  for (const target of [handler, type]) {
    const place = target === type ? type.name : `${type.name}.${handler.name}`;
    const nameOf = (decorators: Decorators): string | undefined =>
      decorators.find((decorator) => hasAny(target, [decorator]))?.[0];
    const unread = isPublic(target) ? nameOf(READS_TOKEN) : undefined;
    if (unread !== undefined) throw publicBeside(place, unread);
    const unproven = reflector.get(AllowExpired, target) ? nameOf(NEEDS_PROOF) : undefined;
    if (unproven !== undefined) throw expiredBeside(place, unproven);
  }
}

function publicBeside(place: string, other: string): AuthWiringError {
  return new AuthWiringError(
    `${place} is public, so its token is not read, and has @${other}(), which is about the token.`,
    `Remove @${other}() if no token is needed.`,
    'Or remove @Public(). With @OptionalAuth() a request without a token is accepted, and one with a token is checked.',
  );
}

function expiredBeside(place: string, other: string): AuthWiringError {
  return new AuthWiringError(
    `${place} has @AllowExpired(), which accepts revoked tokens, so its @${other}() would do nothing.`,
    `Remove @AllowExpired() if a revoked token must be refused. Only a logout route needs it.`,
    `Or remove @${other}(): a logout needs no proof that its token was not revoked.`,
  );
}
