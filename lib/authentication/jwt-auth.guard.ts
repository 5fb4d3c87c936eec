import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import { AuthException } from '../errors/auth.exception.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import { type AuthRequest, requestOf, setResponseHeaders } from '../platform/execution-context.js';
import { JwtStrategy } from './jwt.strategy.js';
import { RoutePolicyReader } from './route-policy.js';

/**
 * The options that `AuthGuard` of @nestjs/passport reads from `JwtAuthGuard`: the strategy's own name.
 *
 * AuthGuard copies its options twice at each request, and every property that it finds there costs
 * about 1 % of the request. A getter is read, but not copied.
 */
@Injectable()
export class JwtAuthGuardOptions {
  readonly #strategy: JwtStrategy;
  readonly #meter: AuthMeter;

  constructor(strategy: JwtStrategy, meter: AuthMeter) {
    this.#strategy = strategy;
    this.#meter = meter;
  }

  /** What passport is asked for. */
  get defaultStrategy(): string {
    return this.#strategy.uniqueName;
  }

  /** The token that the strategy would find; a method of the class is not copied either. */
  tokenOf(request: AuthRequest): string | undefined {
    return this.#strategy.tokenOf(request);
  }

  /** Counts what the guard answers. */
  count(refusal: AuthException): void {
    this.#meter.refuse(refusal);
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
