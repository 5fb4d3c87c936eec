import { Injectable, type Type } from '@nestjs/common';
import { ModulesContainer, Reflector } from '@nestjs/core';
import { type RoutePolicy, RoutePolicyReader } from '../authentication/jwt-auth.guard.js';
import { JwtStrategy, type Outcome } from '../authentication/jwt.strategy.js';
import { DEFAULT_DEMAND } from '../authentication/token-verifier.js';
import { refusal } from '../errors/auth.exception.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { TokenClaims } from '../options/token-claims.js';
import { type AuthRequest, rememberClaims } from '../platform/request.js';

/** The value of `request.user` in a test. */
type User = Readonly<Record<string, unknown>>;

/**
 * The user of a test, or a function that returns one for each request. `null` means that the request has no
 * token.
 *
 * @publicApi
 */
export type TestUser = User | ((request: AuthRequest) => User | null | undefined);

/** The user of this request, or `undefined`. */
function userOf(test: TestUser, request: AuthRequest): User | undefined {
  return (typeof test === 'function' ? test(request) : test) ?? undefined;
}

/** Makes the strategy that accepts each request as the test's user, or refuses it with `token_missing`. */
export function testStrategy(test: TestUser): Type<JwtStrategy> {
  @Injectable()
  class TestStrategy extends JwtStrategy {
    override outcomeOf(request: AuthRequest): Outcome {
      return outcomeOf(test, request);
    }

    override tokenOf(request: AuthRequest): string | undefined {
      return userOf(test, request) === undefined ? undefined : 'a token of the test';
    }
  }
  return TestStrategy;
}

function outcomeOf(test: TestUser, request: AuthRequest): Outcome {
  const user = userOf(test, request);
  if (user === undefined) {
    return { error: refusal('token_missing'), user: undefined, info: undefined };
  }
  rememberClaims(request, claimsFrom(user));
  return { error: null, user, info: undefined };
}

/** Authenticates every route, a public one too. A public route also accepts requests without a user. */
@Injectable()
export class TestRoutes extends RoutePolicyReader {
  override of(context: Parameters<RoutePolicyReader['of']>[0]): RoutePolicy {
    const { isPublic, isOptional } = super.of(context);
    return { isPublic: false, isOptional: isPublic || isOptional, demand: DEFAULT_DEMAND };
  }

  /** For a test without AuthModule, and so without its options. */
  static alone(): TestRoutes {
    const options = { publicMetadataKey: undefined } as ResolvedAuthOptions;
    return new TestRoutes(new Reflector(), options, new ModulesContainer());
  }
}

/** The claims of the user, completed so that code that reads `sub`, `sid` or `exp` works in a test. */
function claimsFrom(user: User): TokenClaims {
  const iat = Math.floor(Date.now() / 1000);
  return {
    iss: 'nestjs-logout/testing',
    sub: 'test-user',
    sid: '00000000-0000-4000-8000-000000000000',
    jti: '00000000-0000-4000-8000-000000000001',
    gen: 0,
    iat,
    exp: iat + 900,
    ...user,
  };
}
