import type { ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthWiringError } from '../../errors/auth-wiring.error.js';
import type { StalePolicy } from '../../options/stale-policy.js';
import { Freshness } from './freshness.decorator.js';
import type { Freshness as FreshnessDemand } from '../token-claims.js';
import { WhenStale } from './when-stale.decorator.js';

/** A handler or a class. */
export type RouteTarget =
  ReturnType<ExecutionContext['getHandler']> | ReturnType<ExecutionContext['getClass']>;

/** What a route says about the proof behind its decisions. */
export interface RouteDemand {
  readonly freshness: FreshnessDemand | undefined;
  /** `undefined`: what the module says, unless the route demands freshness. */
  readonly whenStale: StalePolicy | undefined;
}

const reflector = new Reflector();

/**
 * Reads `@Freshness()` and `@WhenStale()` of a route: the handler's win over its class's. What demands
 * freshness is loosened only by a policy that stands as near as it, and `'strict'` by none.
 *
 * @throws AuthWiringError where the two contradict each other.
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

/** What stands on a handler or a class itself. */
export function policyOn(target: RouteTarget): StalePolicy | undefined {
  return reflector.get(WhenStale, target);
}

function of(target: RouteTarget): RouteDemand {
  return { freshness: reflector.get(Freshness, target), whenStale: policyOn(target) };
}

function isContradiction(
  freshness: FreshnessDemand | undefined,
  whenStale: StalePolicy | undefined,
): boolean {
  return freshness === 'strict' && whenStale !== undefined && whenStale !== 'closed';
}

function contradiction(route: string): AuthWiringError {
  return new AuthWiringError(
    `${route} demands @Freshness('strict') and, by @WhenStale(), accepts without a proof.`,
    'Leave @WhenStale() out: a strict route is closed while nothing can be proven.',
    'Or demand less: @Freshness(seconds) together with @WhenStale() asks for a proof first, and goes by the policy when there is none.',
  );
}
