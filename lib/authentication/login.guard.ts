import { Inject, Injectable } from '@nestjs/common';
import { refusal } from '../errors/auth.exception.js';
import { NO_KEY } from '../revocation/revocation-decider.service.js';
import { AccessTokenStrategy } from './access-token.guard.js';
import { JwtAuthGuard, STRATEGY } from './jwt-auth.guard.js';
import type { JwtStrategy } from './jwt.strategy.js';
import type { SignedToken, TokenDemand } from './token-verifier.js';
import { VerifiedToken } from './verified-tokens.js';

/** Injected with the strategy of the access tokens that `login()` gives. */
export const LOGIN_STRATEGY = Symbol('nestjs-logout:login-strategy');

/** As {@link AccessTokenStrategy}, for the access tokens of logins only. */
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
 * For the routes of the library: accepts what `login()` gives, JWTs or opaque tokens, and no API token,
 * which must not end its owner's sessions.
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
