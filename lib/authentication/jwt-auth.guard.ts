import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthException } from '../errors/auth.exception.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { type AuthRequest, requestOf, setResponseHeaders } from '../platform/request.js';
import {
  Freshness,
  routeDemandOf,
  type RouteTarget as Target,
  WhenStale,
} from '../revocation/staleness/freshness.decorators.js';
import { AllowExpired, OptionalAuth, Public } from './decorators.js';
import { JwtAuthGuardOptions } from './jwt.strategy.js';
import type { TokenDemand } from './token-verifier.js';

/** What the decorators of a route say: read once, at its first request. */
export interface RoutePolicy {
  readonly isPublic: boolean;
  readonly isOptional: boolean;
  /**
   * What the strategy gets at each request; nothing for a route without special demands, because
   * AuthGuard would copy it.
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
 * A decorator of the handler wins over one of its class.
 */
@Injectable()
export class RoutePolicyReader {
  private readonly known = new WeakMap<Target, WeakMap<Target, KnownRoute>>();
  private last: KnownRoute | undefined;

  constructor(
    private readonly reflector: Reflector,
    private readonly options: ResolvedAuthOptions,
  ) {}

  /** The policy of the route that is being called. */
  of(context: ExecutionContext): RoutePolicy {
    const handler = context.getHandler();
    const type = context.getClass();
    // Each request asks twice in a row, and two WeakMap look-ups cost as much as the check for revocation.
    if (handler === this.last?.handler && type === this.last.type) return this.last.policy;
    // By both, because a handler that is inherited serves several classes.
    const known = this.known.get(handler)?.get(type) ?? this.learn(handler, type);
    this.last = known;
    return known.policy;
  }

  /** Reads and remembers a route that was not asked about before. */
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

  /** `@Public()`, else the mark of another library that the option `publicMetadataKey` names. */
  private isMarkedPublic(target: Target): boolean | undefined {
    const own = this.reflector.get(Public, target);
    const { publicMetadataKey } = this.options;
    if (own !== undefined || publicMetadataKey === undefined) return own;
    const theirs = this.reflector.get<unknown>(publicMetadataKey, target);
    return theirs === undefined ? undefined : Boolean(theirs);
  }
}

type AuthenticateOptions = Readonly<Record<string, unknown>> | undefined;

/**
 * Authenticates the request **and** checks that its token has not been revoked; there is no second
 * guard to forget. Use it on a controller, or for all routes by `APP_GUARD` with `useExisting`.
 *
 * A subclass may override `handleRequest` and `getAuthenticateOptions` as with any `AuthGuard`.
 *
 * @example
 * ```ts
 * @UseGuards(JwtAuthGuard) @Controller('orders') export class OrdersController { … }
 * ```
 * @publicApi
 */
@Injectable()
export class JwtAuthGuard extends AuthGuard() implements CanActivate {
  /**
   * The property that AuthGuard fills with the application's own `PassportModule.register()`, and so
   * with its default strategy, unless it is declared anew.
   */
  @Inject(JwtAuthGuardOptions)
  protected options!: JwtAuthGuardOptions;

  /** AuthGuard made `options` optional, for subclasses too; without this one the boot stops. */
  @Inject(RoutePolicyReader)
  protected readonly routes!: RoutePolicyReader;

  private passport: PassportCall | undefined;

  // No parameters: the first one would inherit @Optional() from AuthGuard, and be undefined.
  constructor() {
    // A name that no strategy has: should it ever be used, passport refuses.
    super({ defaultStrategy: 'nestjs-logout:unwired' });
  }

  override canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    this.passport ??= this.wire();
    const { isPublic, isOptional } = this.routes.of(context);
    if (isPublic || (isOptional && this.isAnonymous(context))) return true;
    return this.passport.canActivate(context) as Promise<boolean>;
  }

  override getRequest(context: ExecutionContext): AuthRequest {
    return requestOf(context);
  }

  /** Carries what the route demands to the strategy. */
  override getAuthenticateOptions(
    context: ExecutionContext,
  ): AuthenticateOptions | Promise<AuthenticateOptions> {
    return this.routes.of(context).authenticateOptions;
  }

  /** At the first call and not in the constructor: Nest injects properties after it. */
  private wire(): PassportCall {
    if (!(
      this.options instanceof JwtAuthGuardOptions && this.routes instanceof RoutePolicyReader
    )) {
      throw new AuthWiringError(
        'JwtAuthGuard was made without its collaborators, so it accepts no one.',
        'Import AuthModule.forRoot() once, in the root module; it is global unless you said otherwise.',
        'Let Nest make the guard (@UseGuards(JwtAuthGuard)) instead of `new JwtAuthGuard()`.',
      );
    }
    return new PassportCall(this, this.options, this.routes);
  }

  /** For `@OptionalAuth()`: whether the request has no token at all. */
  private isAnonymous(context: ExecutionContext): boolean {
    try {
      return this.options.tokenOf(this.getRequest(context)) === undefined;
    } catch {
      return false; // Something is there and is bad: the strategy finds it again, and refuses.
    }
  }
}

/**
 * The call of passport on behalf of a guard. It asks the guard's methods, which an application may
 * have overridden, and adds what no override may lose: the demand of the route, and the code and the
 * headers of a refusal. A `catch` around the whole guard would cost a promise for each request.
 */
class PassportCall extends AuthGuard() {
  private readonly hasOwnOptions: boolean;

  constructor(
    private readonly guard: JwtAuthGuard,
    private readonly wired: JwtAuthGuardOptions,
    private readonly routes: RoutePolicyReader,
  ) {
    super(wired);
    this.hasOwnOptions =
      guard.getAuthenticateOptions !== JwtAuthGuard.prototype.getAuthenticateOptions;
  }

  override getRequest(context: ExecutionContext): AuthRequest {
    return this.guard.getRequest(context);
  }

  /** AuthGuard has it, but its types do not. */
  getResponse(context: ExecutionContext): unknown {
    return (this.guard as unknown as PassportCall).getResponse(context);
  }

  /** A subclass that gives options of its own does not lose the route's @Freshness() by that. */
  override getAuthenticateOptions(
    context: ExecutionContext,
  ): AuthenticateOptions | Promise<AuthenticateOptions> {
    const ofRoute = this.routes.of(context).authenticateOptions;
    return this.hasOwnOptions ? this.withOwnOptions(context, ofRoute) : ofRoute;
  }

  /**
   * The strategy's refusal is an error, or the challenge (`info`) where it failed. An override throws
   * `error || new UnauthorizedException()` as in any AuthGuard; that exception says nothing of its
   * own, so the refusal takes its place.
   */
  override handleRequest<TUser>(
    error: unknown,
    user: TUser,
    info: unknown,
    context: ExecutionContext,
    status?: unknown,
  ): TUser {
    try {
      const result: unknown = this.guard.handleRequest(error, user, info, context, status);
      // An override may be asynchronous; AuthGuard waits for what it gives.
      if (result instanceof Promise) return this.settle(result, [error, info], context) as TUser;
      return result as TUser;
    } catch (thrown) {
      return this.refuse(thrown, [error, info], context);
    }
  }

  /** The same for an override that is asynchronous. */
  private async settle(
    result: Promise<unknown>,
    reported: unknown[],
    context: ExecutionContext,
  ): Promise<unknown> {
    try {
      return await result;
    } catch (thrown) {
      return this.refuse(thrown, reported, context);
    }
  }

  /** The route's demand comes last, so that it wins. */
  private async withOwnOptions(
    context: ExecutionContext,
    ofRoute: AuthenticateOptions,
  ): Promise<AuthenticateOptions> {
    return { ...(await this.guard.getAuthenticateOptions(context)), ...ofRoute };
  }

  /** @param reported - By the strategy: its error, and its challenge. */
  private refuse(thrown: unknown, reported: unknown[], context: ExecutionContext): never {
    const coded = reported.find((one) => one instanceof AuthException);
    const answer = coded !== undefined && isBareUnauthorized(thrown) ? coded : thrown;
    const known = answer instanceof AuthException ? answer : coded;
    if (known !== undefined) {
      this.wired.count(known);
      setResponseHeaders(context, known.headers);
    }
    throw answer;
  }
}

/** `new UnauthorizedException()` of whichever copy of @nestjs/common: it has no words of its own. */
function isBareUnauthorized(thrown: unknown): boolean {
  const { getStatus, message } = thrown as { getStatus?(): unknown; message?: unknown };
  return message === 'Unauthorized' && getStatus?.call(thrown) === 401;
}
