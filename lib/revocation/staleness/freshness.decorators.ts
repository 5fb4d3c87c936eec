import type { ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthWiringError } from '../../errors/auth-wiring.error.js';
import { parseStalePolicy, type StalePolicy } from '../../options/operation-settings.js';

/**
 * How old the last poll of the log may be when a request is decided: a number of seconds, or
 * `'strict'` for a poll that is sent after the request arrived. It can only lower `maxStaleness`.
 * `'strict'` adds the latency of one poll to the request; concurrent requests share it.
 *
 * @publicApi
 */
export type Freshness = 'strict' | number;

/**
 * Sets the {@link Freshness} of a controller or a handler. On a handler it overrides the class. The
 * default is `maxStaleness` (5 s). Together with `@AllowExpired()` it stops the boot.
 *
 * While there is no such proof, the route answers 503, whatever the option `whenStale` says. A
 * `@WhenStale()` at the same place, or on the handler, allows another answer, except with
 * `'strict'`.
 *
 * @throws AuthWiringError for another value, when the class is loaded.
 *
 * @example
 * ```ts
 * @Freshness('strict') @Post('transfers') transfer() { … }
 * ```
 * @publicApi
 */
export const Freshness = Reflector.createDecorator<Freshness, Freshness>({
  key: 'nestjs-logout:freshness',
  transform: (value) => {
    if (value === 'strict' || (Number.isFinite(value) && value >= 0)) return value;
    throw new AuthWiringError(
      `@Freshness(${JSON.stringify(value)}) is neither "strict" nor a number of seconds from 0.`,
    );
  },
});

/**
 * What guards do with requests of this route while the instance cannot read the log: see
 * {@link StalePolicy}. A policy on a handler overrides the one on its class, which overrides the
 * option `whenStale`.
 *
 * It is found at boot and **widens the bound of every receipt**, on every instance. In production
 * `'open'` needs `openAcknowledgedBy`. `'closed'` on a handler keeps it closed whatever else is
 * set, even during an override. Any other policy together with `@Freshness('strict')` stops the
 * boot, and so does `@AllowExpired()` beside it.
 *
 * @throws AuthWiringError for an invalid policy, when the class is loaded.
 *
 * @example
 * ```ts
 * @WhenStale({ staleFor: '10m' }) @Get('timetable') timetable() { … }
 * ```
 * @publicApi
 */
export const WhenStale = Reflector.createDecorator<StalePolicy, StalePolicy>({
  key: 'nestjs-logout:when-stale',
  transform: (value) => {
    const parsed = parseStalePolicy(value, 0);
    if (typeof parsed === 'number') return value;
    throw new AuthWiringError(`@WhenStale(${JSON.stringify(value)}) cannot be used.`, parsed.fix);
  },
});

/** A handler or a class. */
export type RouteTarget =
  ReturnType<ExecutionContext['getHandler']> | ReturnType<ExecutionContext['getClass']>;

/** What a route requires of the proof behind its decisions. */
export interface RouteDemand {
  readonly freshness: Freshness | undefined;
  /** `undefined`: the option `whenStale`, unless the route sets a freshness. */
  readonly whenStale: StalePolicy | undefined;
}

const reflector = new Reflector();

/**
 * Reads `@Freshness()` and `@WhenStale()` of a route: those of the handler override those of its
 * class. A policy of the class does not loosen a handler that sets a freshness, and no policy
 * loosens `'strict'`.
 *
 * @throws AuthWiringError if the two contradict each other.
 */
export function routeDemandOf(handler: RouteTarget, type: RouteTarget): RouteDemand {
  const own = of(handler);
  const shared = of(type);
  const freshness = own.freshness ?? shared.freshness;
  if (isContradiction(shared.freshness, shared.whenStale)) throw contradiction(type.name);
  if (isContradiction(freshness, own.whenStale)) {
    throw contradiction(`${type.name}.${handler.name}`);
  }
  const isTightened = own.freshness !== undefined || freshness === 'strict';
  const inherited = isTightened ? undefined : shared.whenStale;
  return { freshness, whenStale: own.whenStale ?? inherited };
}

/** The policy on the handler or class itself. */
export function policyOn(target: RouteTarget): StalePolicy | undefined {
  return reflector.get(WhenStale, target);
}

function of(target: RouteTarget): RouteDemand {
  return { freshness: reflector.get(Freshness, target), whenStale: policyOn(target) };
}

function isContradiction(
  freshness: Freshness | undefined,
  whenStale: StalePolicy | undefined,
): boolean {
  return freshness === 'strict' && whenStale !== undefined && whenStale !== 'closed';
}

function contradiction(route: string): AuthWiringError {
  return new AuthWiringError(
    `${route} has @Freshness('strict') and a @WhenStale() that accepts tokens without a proof of freshness.`,
    'Omit @WhenStale(): a strict route answers 503 while freshness cannot be proven.',
    'Or use @Freshness(seconds): together with @WhenStale() it asks for a proof first, and falls back to the policy.',
  );
}
