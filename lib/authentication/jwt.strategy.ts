import {
  Inject,
  Injectable,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { TOKEN_BINDING, type TokenBinding } from '../binding/token-binding.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthException, refusal } from '../errors/auth.exception.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { TokenClaims } from '../options/token-claims.js';
import { type AuthRequest, rememberClaims } from '../platform/request.js';
import { assertRecentLogin } from '../revocation/recent-login.js';
import { ProofClock } from '../revocation/staleness/proof-clock.js';
import { BaseStrategy, holderOf, PASSPORT } from './passport.js';
import { TokenSource } from './token-source.js';
import {
  DEFAULT_DEMAND,
  type SignedToken,
  type TokenDemand,
  TokenVerifier,
} from './token-verifier.js';
import type { VerifiedToken } from './verified-tokens.js';

/** The result of a strategy for a request, as passport passes it on. */
export interface Outcome {
  /** Why the request is refused without trying another strategy, else `null`. */
  readonly error: unknown;
  /** The value for `request.user`; `false` if the token is not ours. */
  readonly user: unknown;
  /** The refusal, if `user` is `false`. */
  readonly info: unknown;
}

/** Shared by all copies of this package, because hot reload may load it again. */
const CLOSING = Symbol.for('nestjs-logout:closing');

/**
 * Authenticates a request by its access token: finds the token, verifies it with passport-jwt, checks its
 * claims, and checks that it is not revoked, **before** it reports success. `AuthGuard.handleRequest` would be
 * too late for that check, because applications override it.
 *
 * It is registered with passport only if the option `strategyName` is set, because all applications of a
 * process share passport. `JwtAuthGuard` calls it without passport. Specified in docs/requirements.md, "Access
 * tokens".
 *
 * @publicApi
 */
@Injectable()
export class JwtStrategy
  extends BaseStrategy
  implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown
{
  protected [CLOSING] = false;

  private lent: Lent | undefined;

  constructor(
    private readonly options: ResolvedAuthOptions,
    private readonly source: TokenSource,
    private readonly verifier: TokenVerifier,
    @Inject(TOKEN_BINDING) private readonly binding: TokenBinding | null,
    private readonly proofs: ProofClock,
  ) {
    super();
  }

  /**
   * Registers the strategy after all providers exist, so that another one of the same name is found.
   *
   * @throws AuthWiringError if the name is taken.
   */
  onModuleInit(): void {
    const { strategyName } = this.options;
    if (strategyName === undefined) return;
    const holder = holderOf(strategyName);
    // Nest calls this hook once for each provider that resolves to this strategy.
    if (holder !== undefined && holder !== this && !isClosing(holder)) {
      throw new AuthWiringError(
        `The passport strategy "${strategyName}" already exists, and JwtStrategy would replace it.`,
        'Remove your own strategy with this name.',
        'Or set another strategyName, or none: JwtAuthGuard does not need it.',
        'If another application of this process has it, close that one first: await app.close().',
      );
    }
    PASSPORT.use(strategyName, this);
  }

  /** From now on another application may take the name, because hot reload does not await `close()`. */
  onModuleDestroy(): void {
    this[CLOSING] = true;
  }

  /** Frees the name, unless another application has taken it meanwhile. */
  onApplicationShutdown(): void {
    const { strategyName } = this.options;
    if (strategyName !== undefined && holderOf(strategyName) === this) PASSPORT.unuse(strategyName);
  }

  /** Called by passport, on a new object for each request. */
  authenticate(request: AuthRequest): void {
    const outcome = this.outcomeOf(request, DEFAULT_DEMAND);
    if (outcome instanceof Promise) void outcome.then((later) => this.report(later));
    else this.report(outcome);
  }

  /**
   * The access token of a request, or `undefined`.
   *
   * @internal
   * @throws AuthException for a token that is sent in a way that is not allowed.
   */
  tokenOf(request: AuthRequest): string | undefined {
    return this.source.read(request);
  }

  /**
   * Authenticates a request. It only returns a promise if it has to wait. `JwtAuthGuard` calls it directly,
   * passport through {@link authenticate}.
   *
   * For a token that is not ours, it fails with the refusal as challenge, so that passport tries the next
   * strategy of a chain. A token of ours that is revoked or expired is an error and ends the chain: no other
   * strategy may accept it.
   *
   * @internal
   */
  outcomeOf(request: AuthRequest, demand: TokenDemand): Outcome | Promise<Outcome> {
    let token: VerifiedToken | SignedToken;
    try {
      const text = this.tokenOf(request);
      if (text === undefined) throw refusal('token_missing');
      token = this.verifier.verify(text);
    } catch (error) {
      return unread(error);
    }
    return this.judge(request, token, demand);
  }

  /**
   * Adds the methods of passport's middleware (`isAuthenticated()` and others) to a request, because
   * `JwtAuthGuard` does not run that middleware.
   *
   * With Express they are set on the prototype of all its requests. Setting them on each request takes 5 µs per
   * property on Node 20, more than the whole guard.
   *
   * @internal
   */
  lendMethods(request: AuthRequest & Lent): void {
    if ('isAuthenticated' in request) return;
    const lent = (this.lent ??= methodsOfPassport());
    const prototype = Object.getPrototypeOf(request) as object;
    const to: Lent = Object.hasOwn(prototype, 'app') ? prototype : request;
    // Object.assign() takes four times as long.
    to.login = lent.login;
    to.logIn = lent.logIn;
    to.logout = lent.logout;
    to.logOut = lent.logOut;
    to.isAuthenticated = lent.isAuthenticated;
    to.isUnauthenticated = lent.isUnauthenticated;
    to['_sessionManager'] = lent['_sessionManager'];
    // A property of AuthGuard, which is usually undefined.
    to.authInfo = undefined;
  }

  /**
   * The outcome for a token whose signature is valid, or whose row was read.
   *
   * @internal
   */
  judge(
    request: AuthRequest,
    token: VerifiedToken | SignedToken,
    demand: TokenDemand,
  ): Outcome | Promise<Outcome> {
    try {
      const accepted = this.verifier.accept(token, demand);
      // A logout needs no proof of the client, because it only revokes the token.
      if (this.binding !== null && !demand.allowExpired) {
        const proving = this.binding.check(request, accepted);
        if (proving !== undefined) {
          return proving.then(() => this.decide(request, accepted, demand)).catch(toOutcome);
        }
      }
      return this.decide(request, accepted, demand);
    } catch (error) {
      return toOutcome(error);
    }
  }

  private decide(
    request: AuthRequest,
    token: VerifiedToken,
    demand: TokenDemand,
  ): Outcome | Promise<Outcome> {
    const pending = this.verifier.decide(token, demand);
    if (pending !== undefined) {
      return pending.then(() => this.validate(request, token, demand)).catch(toOutcome);
    }
    const outcome = this.validate(request, token, demand);
    return outcome instanceof Promise ? outcome.catch(toOutcome) : outcome;
  }

  private validate(
    request: AuthRequest,
    token: VerifiedToken,
    { recentLogin }: TokenDemand,
  ): Outcome | Promise<Outcome> {
    if (recentLogin !== undefined) assertRecentLogin(token.claims, recentLogin, this.proofs.now());
    const { kid } = token.key;
    const claims = this.verifier.copyClaims(token);
    const { validate } = this.options;
    if (validate === undefined) {
      rememberClaims(request, claims, kid);
      return { error: null, user: claims, info: undefined };
    }
    const result = (validate.source ?? validate.find()).validate(claims, request) as unknown;
    return isThenable(result)
      ? Promise.resolve(result).then((user) => letIn(user, request, claims, kid))
      : letIn(result, request, claims, kid);
  }

  private report({ error, user, info }: Outcome): void {
    try {
      if (error !== null) this.error(error);
      else if (user === false) this.fail(info);
      else this.success(user, info);
    } catch (thrown) {
      this.error(thrown);
    }
  }
}

/** The properties that passport's middleware and AuthGuard set on a request. */
type Lent = Partial<
  Record<
    | 'login'
    | 'logIn'
    | 'logout'
    | 'logOut'
    | 'isAuthenticated'
    | 'isUnauthenticated'
    | '_sessionManager'
    | 'authInfo',
    unknown
  >
>;

/** Gets the methods from passport's middleware, by running it with a strategy that does nothing. */
function methodsOfPassport(): Lent {
  const request = {};
  const idle = { authenticate: () => undefined };
  PASSPORT.authenticate(idle, {}, () => undefined)(request, undefined, () => undefined);
  return request;
}

/**
 * Stores the claims on the request only if the application accepted the user, because other guards trust them.
 */
function letIn(result: unknown, request: AuthRequest, claims: TokenClaims, kid: string): Outcome {
  // As in @nestjs/passport, a list contains the user and further information.
  const [user, info] = Array.isArray(result) ? (result as unknown[]) : [result];
  if (user) {
    rememberClaims(request, claims, kid);
    return { error: null, user, info };
  }
  const challenge =
    info instanceof AuthException ? info : refusal('token_invalid', { cause: info });
  return { error: null, user: false, info: challenge };
}

/** The outcome if there is no readable token, or if it is not ours. */
export function unread(error: unknown): Outcome {
  // A 400 for two tokens and a 403 for a forged request apply to tokens of any issuer, so the chain ends.
  const isAnswer = error instanceof AuthException && error.getStatus() !== 401;
  return isAnswer || error instanceof AuthWiringError ? toOutcome(error) : notOurs(error);
}

/** The outcome for a token that is not ours: the next strategy of a chain may accept it. */
export function notOurs(error: unknown): Outcome {
  const info = error instanceof AuthException ? error : refusal('token_invalid', { cause: error });
  return { error: null, user: false, info };
}

/** The outcome for a refusal that ends a chain of strategies. */
export function toOutcome(error: unknown): Outcome {
  // Passport reads `null` as "no error".
  return { error: error ?? refusal('token_invalid'), user: undefined, info: undefined };
}

/** Queries of many ORMs are thenables but not promises; @nestjs/passport awaits them too. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

/** Whether it is a JwtStrategy, of any copy of this package, whose application is closing. */
function isClosing(holder: unknown): boolean {
  return (holder as { [CLOSING]?: unknown })[CLOSING] === true;
}
