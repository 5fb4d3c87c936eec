import {
  Injectable,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import passport from 'passport';
import { randomUUID } from 'node:crypto';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import { AuthException, refusal } from '../errors/auth.exception.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { TokenClaims } from '../options/token-claims.js';
import { type AuthRequest, rememberClaims } from '../platform/request.js';
import { TokenSource } from './token-source.js';
import {
  DEFAULT_DEMAND,
  type SignedToken,
  type TokenDemand,
  TokenVerifier,
} from './token-verifier.js';

/** What passport gives to the object that it makes of a strategy for each request. */
interface PassportActions {
  success(user: unknown, info?: unknown): void;
  fail(challenge?: unknown, status?: number): void;
  error(error: unknown): void;
}

/** The part of passport's registry that is used; `_strategy` is how passport itself looks one up. */
interface PassportRegistry {
  use(name: string, strategy: unknown): unknown;
  unuse(name: string): unknown;
  _strategy(name: string): unknown;
}

// Typed here, so that the package's types do not need @types/passport.
const BaseStrategy = passport.Strategy as unknown as new () => PassportActions;

/** Known to every copy of this package: hot reload may evaluate it anew. */
const CLOSING = Symbol.for('nestjs-logout:closing');

/**
 * Authenticates a request by its access token: finds the token, has it verified by passport-jwt,
 * checks its claims, and asks whether it has been revoked, **before** it reports success.
 * `AuthGuard.handleRequest` is too late for that question: applications override it.
 *
 * It is registered with passport under a name of its own, because passport is shared by all
 * applications of a process, and under the option `strategyName` where that is given.
 *
 * @publicApi
 */
@Injectable()
export class JwtStrategy
  extends BaseStrategy
  implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown
{
  /** What `JwtAuthGuard` asks passport for; nothing else can have taken it. */
  readonly uniqueName = `nestjs-logout:${randomUUID()}`;

  protected [CLOSING] = false;

  constructor(
    private readonly options: ResolvedAuthOptions,
    private readonly source: TokenSource,
    private readonly verifier: TokenVerifier,
  ) {
    super();
  }

  /** After every provider was made, so that a strategy of the same name is there to be found. */
  onModuleInit(): void {
    const { strategyName } = this.options;
    const holder = strategyName === undefined ? undefined : holderOf(strategyName);
    if (holder !== undefined && !isClosing(holder)) {
      throw new AuthWiringError(
        `The passport strategy "${strategyName}" exists already, and would be replaced by JwtStrategy.`,
        "Remove the application's own strategy of that name.",
        'Give AuthModule another strategyName, or none: JwtAuthGuard needs none.',
        'If another application of this process has it, close that one first: await app.close().',
      );
    }
    for (const name of this.names()) registry().use(name, this);
  }

  /** From now on another application may take the names: hot reload does not await `close()`. */
  onModuleDestroy(): void {
    this[CLOSING] = true;
  }

  /** Gives the names back, unless another application has taken them in the meantime. */
  onApplicationShutdown(): void {
    for (const name of this.names()) {
      if (holderOf(name) === this) registry().unuse(name);
    }
  }

  /**
   * Called by passport, on an object of its own for each request.
   *
   * What is not a token of ours fails, so that passport asks the next strategy of a chain; the refusal
   * is the challenge. A token of ours that is bad now is an error and ends the chain: no other
   * strategy may accept it.
   */
  authenticate(request: AuthRequest, options?: { demand?: TokenDemand }): void {
    let token: SignedToken;
    try {
      const text = this.tokenOf(request);
      if (text === undefined) throw refusal('token_missing');
      token = this.verifier.verify(text);
    } catch (error) {
      // A 400 for two tokens and a 403 for a forged request are answers to a token of any issuer.
      const isAnswer = error instanceof AuthException && error.getStatus() !== 401;
      if (isAnswer || error instanceof AuthWiringError) this.error(error);
      else
        this.fail(
          error instanceof AuthException ? error : refusal('token_invalid', { cause: error }),
        );
      return;
    }
    void this.finish(request, token, options?.demand ?? DEFAULT_DEMAND);
  }

  /**
   * The access token of a request, or `undefined`.
   *
   * @internal
   * @throws AuthException for one that is sent in a way that is not allowed.
   */
  tokenOf(request: AuthRequest): string | undefined {
    return this.source.read(request);
  }

  /** Waits only where there is something to wait for. */
  private async finish(
    request: AuthRequest,
    token: SignedToken,
    demand: TokenDemand,
  ): Promise<void> {
    try {
      const claims = this.verifier.accept(token, demand);
      const pending = this.verifier.decide(claims, token.key, demand);
      if (pending !== undefined) await pending;
      const user = this.userOf(claims, request);
      this.letIn(isThenable(user) ? await user : user, request, claims, token.key.kid);
    } catch (refused) {
      this.error(refused);
    }
  }

  private userOf(claims: TokenClaims, request: AuthRequest): unknown {
    const { validate } = this.options;
    if (validate === undefined) return claims;
    return (validate.source ?? validate.find()).validate(claims, request);
  }

  /** The claims are kept only for a user whom the application accepted: their readers rely on it. */
  private letIn(result: unknown, request: AuthRequest, claims: TokenClaims, kid: string): void {
    // As @nestjs/passport reads a list: the user, and information about it.
    const [user, info] = Array.isArray(result) ? (result as unknown[]) : [result];
    if (user) {
      rememberClaims(request, claims, kid);
      this.success(user, info);
    } else {
      this.fail(info instanceof AuthException ? info : refusal('token_invalid', { cause: info }));
    }
  }

  private names(): string[] {
    const { strategyName } = this.options;
    return strategyName === undefined ? [this.uniqueName] : [this.uniqueName, strategyName];
  }
}

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

/** The queries of many ORMs are thenables but not Promises; @nestjs/passport awaits them too. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

/** The passport that AuthGuard asks, even where the application has a second copy of it. */
function registry(): PassportRegistry {
  return PassportStrategy(passport.Strategy).prototype.getPassportInstance();
}

/** Whether it is a strategy of ours, of any copy of this package, whose application is closing. */
function isClosing(holder: unknown): boolean {
  return (holder as { [CLOSING]?: unknown })[CLOSING] === true;
}

function holderOf(name: string): unknown {
  // oxlint-disable-next-line no-underscore-dangle -- passport has no other way to ask.
  return registry()._strategy(name);
}
