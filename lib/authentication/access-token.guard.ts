import { Inject, Injectable } from '@nestjs/common';
import { AuthException, refusal } from '../errors/auth.exception.js';
import type { AuthRequest } from '../platform/request.js';
import { NO_KEY } from '../revocation/revocation-decider.service.js';
import { JwtAuthGuard, STRATEGY } from './jwt-auth.guard.js';
import { JwtStrategy, notOurs, type Outcome, toOutcome, unread } from './jwt.strategy.js';
import { OpaqueTokens } from './opaque-tokens.js';
import { type SignedToken, type TokenDemand, TokenVerifier } from './token-verifier.js';
import { VerifiedToken } from './verified-tokens.js';

/**
 * Authenticates a request by a JWT or an opaque token. It recognises an opaque token by its prefix.
 */
@Injectable()
export class AccessTokenStrategy {
  constructor(
    private readonly jwt: JwtStrategy,
    private readonly verifier: TokenVerifier,
    @Inject(OpaqueTokens) private readonly opaque: OpaqueTokens | undefined,
  ) {}

  /** See {@link JwtStrategy.lendMethods}. */
  lendMethods(request: AuthRequest): void {
    this.jwt.lendMethods(request);
  }

  /** See {@link JwtStrategy.tokenOf}. */
  tokenOf(request: AuthRequest): string | undefined {
    return this.jwt.tokenOf(request);
  }

  /** See {@link JwtStrategy.outcomeOf}. */
  outcomeOf(request: AuthRequest, demand: TokenDemand): Outcome | Promise<Outcome> {
    let token: VerifiedToken | SignedToken | Promise<VerifiedToken>;
    try {
      const text = this.tokenOf(request);
      if (text === undefined) throw refusal('token_missing');
      token = this.verify(text, demand);
    } catch (error) {
      return unread(error);
    }
    if (!(token instanceof Promise)) return this.jwt.judge(request, token, demand);
    return token.then((found) => this.jwt.judge(request, found, demand), refused);
  }

  /** Verifies the signature of a JWT, or finds the row of an opaque token. */
  protected verify(
    text: string,
    demand: TokenDemand,
  ): VerifiedToken | SignedToken | Promise<VerifiedToken> {
    return this.opaque?.verify(text, demand) ?? this.verifier.verify(text);
  }
}

/**
 * An unknown token may belong to another strategy of a chain. A token of ours that is revoked or
 * expired must not reach that strategy.
 */
function refused(error: unknown): Outcome {
  const isUnknown = error instanceof AuthException && error.code === 'token_invalid';
  return isUnknown ? notOurs(error) : toOutcome(error);
}

/**
 * Like {@link JwtAuthGuard}, but it also accepts opaque tokens (option `apiTokens`). Decorators,
 * claims on the request and refusals are the same.
 *
 * The first request with an opaque token reads one row. Later requests use a cache. After a
 * revocation, requests are refused within `maxStaleness` (5 s by default), as with a JWT.
 *
 * @example
 * ```ts
 * @UseGuards(AccessTokenGuard) @Controller('v1/orders') export class OrdersApiController { … }
 * ```
 * @publicApi
 */
@Injectable()
export class AccessTokenGuard extends JwtAuthGuard {
  // Nest injects properties of subclasses last, so this one replaces the property of JwtAuthGuard.
  @Inject(AccessTokenStrategy)
  override readonly [STRATEGY]!: AccessTokenStrategy;
}

/** The injection token of the strategy for access tokens of logins. */
export const LOGIN_STRATEGY = Symbol('nestjs-logout:login-strategy');

/** Like {@link AccessTokenStrategy}, but it refuses API tokens. */
export class LoginTokenStrategy extends AccessTokenStrategy {
  protected override verify(
    text: string,
    demand: TokenDemand,
  ): VerifiedToken | SignedToken | Promise<VerifiedToken> {
    const token = super.verify(text, demand);
    return token instanceof Promise ? token.then(assertLogin) : assertLogin(token);
  }
}

/**
 * The guard of the optional routes of the library. It accepts the access tokens of logins, JWTs or
 * opaque tokens. It refuses API tokens, because a leaked API token must not log its owner out.
 */
@Injectable()
export class LoginGuard extends JwtAuthGuard {
  @Inject(LOGIN_STRATEGY)
  override readonly [STRATEGY]!: Pick<JwtStrategy, 'lendMethods' | 'outcomeOf' | 'tokenOf'>;
}

function assertLogin<T extends VerifiedToken | SignedToken>(token: T): T {
  const isApiToken =
    token instanceof VerifiedToken && token.key.kid === NO_KEY && token.claims.sid === undefined;
  if (isApiToken) throw refusal('token_invalid', { cause: 'An API token is no login.' });
  return token;
}
