import {
  Inject,
  Injectable,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { Strategy } from 'passport-jwt';
import { randomUUID } from 'node:crypto';
import { AuthException, refusal } from '../errors/auth.exception.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import type { AuthKey } from '../options/auth-key.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import type { AuthRequest } from '../platform/execution-context.js';
import { rememberClaims } from '../revocation/claims-storage.js';
import { RevocationService } from '../revocation/revocation.service.js';
import type { TokenClaims } from '../options/token-claims.js';
import { AccessTokenReader } from './token-source.js';
import { ClaimsPolicy } from './claims-policy.js';
import { KeyRing } from './key-ring.js';
import { assertNotRevoked } from './revocation-decision.js';
import { DEFAULT_DEMAND, type TokenDemand } from './token-demand.js';
import { inspectToken, isCompactToken } from './token-inspector.js';

/** The part of passport's registry that is used; `_strategy` is how passport itself looks one up. */
interface PassportRegistry {
  use(name: string, strategy: unknown): unknown;
  unuse(name: string): unknown;
  _strategy(name: string): unknown;
}

interface PassportJwtStrategy {
  authenticate(request: unknown, options?: unknown): void;
  success(user: unknown, info?: unknown): void;
  fail(challenge?: unknown, status?: number): void;
  error(error: unknown): void;
  getPassportInstance(): PassportRegistry;
}

// Said in our own words, so that nobody who reads our types needs @types/passport-jwt.
const PassportJwtStrategy = PassportStrategy(Strategy) as unknown as new (
  options: Record<string, unknown>,
) => PassportJwtStrategy;

/** Known to every copy of this package: hot reload may evaluate it anew. */
const CLOSING = Symbol.for('nestjs-logout:closing');

const NOWHERE: PassportRegistry = {
  use: () => undefined,
  unuse: () => undefined,
  _strategy: () => undefined,
};

/**
 * One look at one token. It goes through passport-jwt in the place of the request, so that nothing
 * has to be written on the request itself: GraphQL authenticates several fields of one at a time.
 */
class Attempt {
  constructor(
    readonly request: AuthRequest,
    readonly demand: TokenDemand,
    readonly token: string,
    readonly key: AuthKey,
    readonly payload: string,
    readonly isLegacy: boolean,
  ) {}
}

/**
 * Authenticates a request by its access token: takes the token from the header (or from its cookie,
 * where cookies are on), verifies it once
 * with passport-jwt, checks its claims, and asks whether it has been revoked, **before** it reports
 * success. `AuthGuard.handleRequest` is too late for that question: applications override it.
 *
 * It is registered with passport under a name of its own, because passport is shared by all
 * applications of a process, and under the option `strategyName` where that is given.
 *
 * @publicApi
 */
@Injectable()
export class JwtStrategy
  extends PassportJwtStrategy
  implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown
{
  /** What `JwtAuthGuard` asks passport for; nobody else can have taken it. */
  readonly uniqueName = `nestjs-logout:${randomUUID()}`;

  protected [CLOSING] = false;

  /** Only while passport holds a request in hand; see {@link refuse}. */
  protected token?: string;

  /** Passport's own `fail`, as long. */
  protected challenge?: PassportJwtStrategy['fail'];

  constructor(
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
    private readonly ring: KeyRing,
    private readonly policy: ClaimsPolicy,
    private readonly revocation: RevocationService,
    private readonly reader: AccessTokenReader,
  ) {
    super({
      jwtFromRequest: (attempt: Attempt) => attempt.token,
      secretOrKeyProvider: (
        attempt: Attempt,
        _token: string,
        done: (error: null, key: AuthKey['verify']) => void,
      ) => done(null, attempt.key.verify),
      passReqToCallback: true,
      // These four take effect only here: under jsonWebTokenOptions they would be overwritten.
      algorithms: ring.algorithms,
      issuer: options.issuer,
      audience: options.audience,
      ignoreExpiration: true,
      // Time is judged by ClaimsPolicy, by the library's one clock.
      jsonWebTokenOptions: { ignoreNotBefore: true },
    });
  }

  /**
   * Called by the mixin's constructor, which would register the strategy as "jwt": see
   * {@link onModuleInit} for when and as what that is done instead.
   */
  override getPassportInstance(): PassportRegistry {
    return NOWHERE;
  }

  /** After every provider was made, so that a strategy of the same name is there to be found. */
  onModuleInit(): void {
    const registry = super.getPassportInstance();
    const { strategyName } = this.options;
    const holder = strategyName === undefined ? undefined : holderOf(registry, strategyName);
    if (holder !== undefined && !isClosing(holder)) {
      throw new AuthWiringError(
        `The passport strategy "${strategyName}" exists already, and would be replaced by JwtStrategy.`,
        "Remove the application's own strategy of that name.",
        'Give AuthModule another strategyName, or none: JwtAuthGuard needs none.',
        'If another application of this process has it, close that one first: await app.close().',
      );
    }
    for (const name of this.names()) registry.use(name, this);
  }

  /** From now on another application may take the names: hot reload does not await `close()`. */
  onModuleDestroy(): void {
    this[CLOSING] = true;
  }

  /** Gives the names back, unless somebody else has taken them in the meantime. */
  onApplicationShutdown(): void {
    const registry = super.getPassportInstance();
    for (const name of this.names()) {
      if (holderOf(registry, name) === this) registry.unuse(name);
    }
  }

  /**
   * Called by passport, on an object of its own for each request.
   *
   * What is not a token of ours fails, so that passport asks the next strategy of a chain; the refusal
   * is the challenge. A token of ours that is bad now is an error, and ends the chain: no other
   * strategy may let its holder in.
   */
  override authenticate(request: AuthRequest, options?: { demand?: TokenDemand }): void {
    this.challenge = this.fail;
    this.fail = refuse;
    try {
      const token = this.tokenOf(request);
      if (token === undefined) throw refusal('token_missing');
      this.token = token;
      const { key, payload, isLegacy } = inspectToken(this.ring, token);
      const demand = options?.demand ?? DEFAULT_DEMAND;
      const attempt = new Attempt(request, demand, token, key, payload, isLegacy);
      if (isLegacy) void this.authenticateLegacy(attempt);
      else super.authenticate(attempt, options);
    } catch (error) {
      // A 400 for two tokens and a 403 for a forged request are answers to a token of any issuer.
      const isNoToken = error instanceof AuthException && error.getStatus() !== 401;
      if (isNoToken || error instanceof AuthWiringError) this.error(error);
      // jsonwebtoken throws TypeError and SyntaxError at some tokens: that must not become a 500.
      else
        this.fail(
          error instanceof AuthException ? error : refusal('token_invalid', { cause: error }),
        );
    }
  }

  /** What passport-jwt does, without issuer and audience: it was told once and for all to demand them. */
  private async authenticateLegacy(attempt: Attempt): Promise<void> {
    let payload: unknown;
    try {
      payload = this.ring.legacy?.verify(attempt.token);
    } catch (error) {
      this.fail(refusal('token_invalid', { cause: error }));
      return;
    }
    if (this.policy.isForeign(payload)) {
      this.fail(
        refusal('token_invalid', { cause: 'The token is for another issuer or another audience.' }),
      );
      return;
    }
    try {
      const result: unknown = await this.validate(attempt, payload);
      const [user, info] = Array.isArray(result) ? (result as unknown[]) : [result];
      if (user) this.success(user, info);
      else this.fail(info);
    } catch (error) {
      this.error(error);
    }
  }

  /**
   * The access token of a request, or `undefined`.
   *
   * @internal
   * @throws AuthException for one that is sent in a way that is not allowed.
   */
  tokenOf(request: AuthRequest): string | undefined {
    return this.reader.read(request);
  }

  /** Called with a payload whose signature is right; what it returns becomes `request.user`. */
  validate(attempt: Attempt, payload: unknown): unknown {
    const { demand, key, isLegacy } = attempt;
    const claims = this.policy.accept(payload, attempt.payload, demand.allowExpired, isLegacy);
    const pending = assertNotRevoked(this.revocation, claims, key.kid, demand);
    return pending === undefined
      ? this.admit(attempt, claims)
      : pending.then(() => this.admit(attempt, claims));
  }

  private admit(attempt: Attempt, claims: TokenClaims): unknown {
    const { request, key } = attempt;
    const { validate } = this.options;
    if (validate === undefined) {
      rememberClaims(request, claims, key.kid);
      return claims;
    }
    const user = validate(claims, request);
    if (!isThenable(user)) return this.letIn(user, attempt, claims);
    return Promise.resolve(user).then((resolved) => this.letIn(resolved, attempt, claims));
  }

  /** Only for a user whom the application let in: whoever reads the claims relies on it. */
  private letIn(user: unknown, { request, key }: Attempt, claims: TokenClaims): unknown {
    // Of a list, @nestjs/passport takes the first for the user, and the rest for information.
    if (Array.isArray(user) ? user[0] : user) rememberClaims(request, claims, key.kid);
    return user;
  }

  private names(): string[] {
    const { strategyName } = this.options;
    return strategyName === undefined ? [this.uniqueName] : [this.uniqueName, strategyName];
  }
}

/**
 * Stands in for passport's `fail`, which passport-jwt calls with errors of jsonwebtoken: makes each
 * challenge a refusal with a code. Shared, so that a request makes no closure.
 */
function refuse(
  this: { challenge?(refusal: AuthException): void; token?: string },
  cause?: unknown,
): void {
  const code = isCompactToken(this.token ?? '') ? 'token_invalid' : 'token_malformed';
  this.challenge?.(cause instanceof AuthException ? cause : refusal(code, { cause }));
}

/** A query of many an ORM is none of Promise's own; @nestjs/passport awaits it all the same. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

/** Whether it is a strategy of ours, of any copy of this package, whose application is closing. */
function isClosing(holder: unknown): boolean {
  return (holder as { [CLOSING]?: unknown })[CLOSING] === true;
}

function holderOf(registry: PassportRegistry, name: string): unknown {
  // oxlint-disable-next-line no-underscore-dangle -- passport has no other way to ask.
  return registry._strategy(name);
}
