import {
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  type OnModuleInit,
} from '@nestjs/common';
import { ModulesContainer, Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthException } from '../errors/auth.exception.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { handlerClassesOf } from '../platform/module-graph.js';
import { type AuthRequest, requestOf, setResponseHeaders } from '../platform/request.js';
import { throwTo } from '../platform/transport-refusal.js';
import {
  routeDemandOf,
  type RouteTarget as Target,
} from '../revocation/staleness/freshness.decorators.js';
import { RecentLogin } from '../revocation/recent-login.js';
import { hasAny, NEEDS_PROOF, READS_TOKEN, refuseContradiction } from './contradictions.js';
import { AllowExpired, OptionalAuth, Public } from './decorators.js';
import { isThenable, JwtStrategy, type Outcome } from './jwt.strategy.js';
import type { TokenDemand } from './token-verifier.js';

/** The values of the decorators of a route. They are read once, at its first request. */
export interface RoutePolicy {
  readonly isPublic: boolean;
  readonly isOptional: boolean;
  readonly demand: TokenDemand;
}

interface KnownRoute {
  readonly handler: Target;
  readonly type: Target;
  readonly policy: RoutePolicy;
}

/** A handler with one of these is not public, even if its class is. */
const ABOUT_TOKEN = [...READS_TOKEN, ...NEEDS_PROOF];

/**
 * Reads the decorators of a route at its first request and caches them: they cannot change, and reading them with
 * Reflector costs more than checking the token for revocation.
 *
 * A decorator of the handler overrides one of its class.
 */
@Injectable()
export class RoutePolicyReader implements OnModuleInit {
  private readonly known = new WeakMap<Target, WeakMap<Target, KnownRoute>>();
  private last: KnownRoute | undefined;

  constructor(
    private readonly reflector: Reflector,
    private readonly options: ResolvedAuthOptions,
    private readonly modules: ModulesContainer,
  ) {}

  /** @throws AuthWiringError for decorators that contradict each other, on any class or method. */
  onModuleInit(): void {
    for (const { type, methods } of handlerClassesOf(this.modules)) {
      for (const method of methods.values()) refuseContradiction(method, type, this.isOpen);
    }
  }

  of(context: ExecutionContext): RoutePolicy {
    const handler = context.getHandler();
    const type = context.getClass();
    // Often the same route is called again, and two WeakMap look-ups cost as much as the check for revocation.
    if (handler === this.last?.handler && type === this.last.type) return this.last.policy;
    // Both are part of the key, because an inherited handler serves several classes.
    const known = this.known.get(handler)?.get(type) ?? this.learn(handler, type);
    this.last = known;
    return known.policy;
  }

  /** Reads and caches the policy of a route that is called for the first time. */
  private learn(handler: Target, type: Target): KnownRoute {
    const route = { handler, type, policy: this.read(handler, type) };
    let ofHandler = this.known.get(handler);
    if (ofHandler === undefined) this.known.set(handler, (ofHandler = new WeakMap()));
    ofHandler.set(type, route);
    return route;
  }

  private read(handler: Target, type: Target): RoutePolicy {
    const targets = [handler, type];
    refuseContradiction(handler, type, this.isOpen); // of a module that was loaded later
    return Object.freeze({
      isPublic: this.isMarkedPublic(handler) ?? this.isPublicByClass(handler, type),
      isOptional: this.reflector.getAllAndOverride(OptionalAuth, targets) ?? false,
      demand: Object.freeze({
        allowExpired: this.allowsExpired(handler, type),
        recentLogin: this.reflector.getAllAndOverride(RecentLogin, targets),
        ...routeDemandOf(handler, type),
      }),
    });
  }

  /** A class that is public does not make a handler public that has a decorator about its token. */
  private isPublicByClass(handler: Target, type: Target): boolean {
    return !hasAny(handler, ABOUT_TOKEN) && this.isOpen(type);
  }

  /** A decorator about proofs on the handler overrides `@AllowExpired()` on its class. */
  private allowsExpired(handler: Target, type: Target): boolean {
    const { reflector } = this;
    const byClass = hasAny(handler, NEEDS_PROOF) ? undefined : reflector.get(AllowExpired, type);
    return reflector.get(AllowExpired, handler) ?? byClass ?? false;
  }

  private readonly isOpen = (target: Target): boolean => this.isMarkedPublic(target) ?? false;

  /** The value of `@Public()`, else the metadata of another library (option `publicMetadataKey`). */
  private isMarkedPublic(target: Target): boolean | undefined {
    const own = this.reflector.get(Public, target);
    const { publicMetadataKey } = this.options;
    if (own !== undefined || publicMetadataKey === undefined) return own;
    const theirs = this.reflector.get<unknown>(publicMetadataKey, target);
    return theirs === undefined ? undefined : Boolean(theirs);
  }
}

/** The property of a guard that has its strategy. */
export const STRATEGY = Symbol('nestjs-logout:strategy');
const ROUTES = Symbol('nestjs-logout:routes');
const METER = Symbol('nestjs-logout:meter');

type Given = Readonly<Record<string, unknown>> | undefined;

/**
 * Authenticates the request **and** checks that its token has not been revoked, so it needs no second guard. Use it
 * on a controller, or for all routes with `APP_GUARD` and `useExisting`.
 *
 * It calls the strategy without passport's middleware, and sets the same properties on the request. The rules are in
 * docs/requirements.md, "Access tokens".
 *
 * A subclass may override `handleRequest`, `getRequest` and `getAuthenticateOptions` as with any `AuthGuard`; they
 * are called at each request.
 *
 * A refused request gets 401 with a code, such as `token_expired`, or 503 `revocation_state_unknown`.
 *
 * @example
 * ```ts
 * @UseGuards(JwtAuthGuard) @Controller('orders') export class OrdersController { … }
 * ```
 * @publicApi
 */
@Injectable()
export class JwtAuthGuard extends AuthGuard() implements CanActivate {
  // These are properties, because the first constructor parameter would inherit @Optional() from AuthGuard. Their
  // names are symbols, so that they never collide with members of a subclass.
  @Inject(JwtStrategy)
  readonly [STRATEGY]!: Pick<JwtStrategy, 'lendMethods' | 'outcomeOf' | 'tokenOf'>;

  @Inject(RoutePolicyReader)
  readonly [ROUTES]!: RoutePolicyReader;

  @Inject(AuthMeter)
  readonly [METER]!: AuthMeter;

  constructor() {
    // No strategy has this name. If AuthGuard ever used it, passport would refuse every request.
    super({ defaultStrategy: 'nestjs-logout:unwired' });
  }

  override canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    if (this[STRATEGY] === undefined || this[ROUTES] === undefined) throw unwired();
    const { isPublic, isOptional, demand } = this[ROUTES].of(context);
    if (isPublic || (isOptional && isAnonymous(this, context))) return true;
    // An override that calls super.canActivate() may expect a promise, which AuthGuard always returns.
    const isOverridden = this.canActivate !== JwtAuthGuard.prototype.canActivate;
    return isOverridden ? activateLater(this, context, demand) : activate(this, context, demand);
  }

  override getRequest(context: ExecutionContext): AuthRequest {
    return requestOf(context);
  }
}

async function activateLater(
  guard: JwtAuthGuard,
  context: ExecutionContext,
  demand: TokenDemand,
): Promise<boolean> {
  return activate(guard, context, demand);
}

function activate(
  guard: JwtAuthGuard,
  context: ExecutionContext,
  demand: TokenDemand,
): boolean | Promise<boolean> {
  const options: unknown = guard.getAuthenticateOptions(context);
  return isThenable(options)
    ? Promise.resolve(options).then((given) => authenticate(guard, context, demand, given as Given))
    : authenticate(guard, context, demand, options as Given);
}

function authenticate(
  guard: JwtAuthGuard,
  context: ExecutionContext,
  demand: TokenDemand,
  options: Given,
): boolean | Promise<boolean> {
  const request = guard.getRequest(context);
  guard[STRATEGY].lendMethods(request);
  const outcome = guard[STRATEGY].outcomeOf(request, demand);
  return outcome instanceof Promise
    ? outcome.then((later) => answer(guard, context, request, later, options))
    : answer(guard, context, request, outcome, options);
}

/** Passes the outcome to `handleRequest`, as AuthGuard does. It may be asynchronous. */
function answer(
  guard: JwtAuthGuard,
  context: ExecutionContext,
  request: AuthRequest,
  outcome: Outcome,
  options: Given,
): boolean | Promise<boolean> {
  const { error, user, info } = outcome;
  // As AuthGuard does. `user`, or another name that the application chose, is not part of AuthRequest.
  const found = request as unknown as Record<string, unknown>;
  const property = String(options?.['property'] ?? 'user');
  if (found['authInfo'] !== info) found['authInfo'] = info;
  try {
    const result: unknown = guard.handleRequest(error, user, info, context);
    if (isThenable(result)) {
      return Promise.resolve(result).then(
        (later) => {
          found[property] = later;
          return true;
        },
        (thrown: unknown) => refuse(guard, thrown, outcome, context),
      );
    }
    found[property] = result;
    return true;
  } catch (thrown) {
    return refuse(guard, thrown, outcome, context);
  }
}

/**
 * The strategy's refusal is in `error`, or in `info` if the token is not ours. Overrides often throw `error || new
 * UnauthorizedException()`, as the docs of Nest show. That exception has no code, so it is replaced by the refusal.
 */
function refuse(
  guard: JwtAuthGuard,
  thrown: unknown,
  { error, info }: Outcome,
  context: ExecutionContext,
): Promise<never> {
  const coded = [error, info].find((one) => one instanceof AuthException);
  const answer = coded !== undefined && isBareUnauthorized(thrown) ? coded : thrown;
  const known = answer instanceof AuthException ? answer : coded;
  if (known !== undefined) {
    guard[METER].refuse(known);
    setResponseHeaders(context, known.headers);
  }
  return throwTo(context, answer);
}

/** For `@OptionalAuth()`: whether the request has no token at all. A bad token is not anonymous. */
function isAnonymous(guard: JwtAuthGuard, context: ExecutionContext): boolean {
  try {
    return guard[STRATEGY].tokenOf(guard.getRequest(context)) === undefined;
  } catch {
    return false; // There is a malformed token, which the strategy then refuses.
  }
}

function unwired(): AuthWiringError {
  return new AuthWiringError(
    'JwtAuthGuard was made without its collaborators, so it accepts no one.',
    'Import AuthModule.forRoot() once, in the root module; it is global unless you said otherwise.',
    'Let Nest make the guard (@UseGuards(JwtAuthGuard)) instead of `new JwtAuthGuard()`.',
  );
}

/** Whether it is a plain `new UnauthorizedException()`, of any copy of @nestjs/common. */
function isBareUnauthorized(thrown: unknown): boolean {
  const { getStatus, message } = thrown as { getStatus?(): unknown; message?: unknown };
  return message === 'Unauthorized' && getStatus?.call(thrown) === 401;
}
