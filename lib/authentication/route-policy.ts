import { type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import {
  Freshness,
  routeDemandOf,
  type RouteTarget as Target,
  WhenStale,
} from '../revocation/staleness/freshness.decorators.js';
import { AllowExpired, OptionalAuth, Public } from './decorators.js';
import type { TokenDemand } from './token-verifier.js';

/** What the decorators of a route say. */
export interface RoutePolicy {
  readonly isPublic: boolean;
  readonly isOptional: boolean;
  /**
   * What the strategy is told at each request; nothing for a route that demands nothing special,
   * because AuthGuard would copy it.
   */
  readonly authenticateOptions: { readonly demand: TokenDemand } | undefined;
}

interface KnownRoute {
  readonly handler: Target;
  readonly type: Target;
  readonly policy: RoutePolicy;
}

/**
 * Reads the decorators of a route at its first request and remembers them: they cannot change, and
 * the look-ups of Reflector would cost more than the check of the token's revocation.
 *
 * What stands on the handler wins over what stands on its class.
 */
@Injectable()
export class RoutePolicyReader {
  private readonly known = new WeakMap<Target, WeakMap<Target, KnownRoute>>();
  private last: KnownRoute | undefined;

  constructor(
    private readonly reflector: Reflector,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {}

  /** The policy of the route that is being called. */
  of(context: ExecutionContext): RoutePolicy {
    const handler = context.getHandler();
    const type = context.getClass();
    // A request asks twice in a row, and two look-ups in a WeakMap cost as much as the revocation's.
    if (handler === this.last?.handler && type === this.last.type) return this.last.policy;
    // By both, because a handler that is inherited serves several classes.
    const known = this.known.get(handler)?.get(type) ?? this.learn(handler, type);
    this.last = known;
    return known.policy;
  }

  private learn(handler: Target, type: Target): KnownRoute {
    const route = { handler, type, policy: this.read(handler, type) };
    let ofHandler = this.known.get(handler);
    if (ofHandler === undefined) this.known.set(handler, (ofHandler = new WeakMap()));
    ofHandler.set(type, route);
    return route;
  }

  private read(handler: Target, type: Target): RoutePolicy {
    const targets = [handler, type];
    const demand: TokenDemand = Object.freeze({
      allowExpired: this.reflector.getAllAndOverride(AllowExpired, targets) ?? false,
      ...routeDemandOf(handler, type),
    });
    const isSpecial =
      demand.allowExpired || demand.freshness !== undefined || demand.whenStale !== undefined;
    return Object.freeze({
      isPublic: this.isMarkedPublic(handler) ?? this.isPublicByClass(handler, type),
      isOptional: this.reflector.getAllAndOverride(OptionalAuth, targets) ?? false,
      authenticateOptions: isSpecial ? { demand } : undefined,
    });
  }

  /** A handler that says how its token is to be read is not public because its class is. */
  private isPublicByClass(handler: Target, type: Target): boolean {
    const readsToken = [OptionalAuth, AllowExpired, Freshness, WhenStale].some(
      (decorator) => this.reflector.get<unknown>(decorator.KEY, handler) !== undefined,
    );
    return !readsToken && (this.isMarkedPublic(type) ?? false);
  }

  private isMarkedPublic(target: Target): boolean | undefined {
    const own = this.reflector.get(Public, target);
    const { publicMetadataKey } = this.options;
    if (own !== undefined || publicMetadataKey === undefined) return own;
    const theirs = this.reflector.get<unknown>(publicMetadataKey, target);
    return theirs === undefined ? undefined : Boolean(theirs);
  }
}
