import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import passport from 'passport';
import { randomUUID } from 'node:crypto';
import { type RoutePolicy, RoutePolicyReader } from '../authentication/jwt-auth.guard.js';
import { JwtAuthGuardOptions } from '../authentication/jwt.strategy.js';
import { refusal } from '../errors/auth.exception.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { TokenClaims } from '../options/token-claims.js';
import { type AuthRequest, rememberClaims } from '../platform/request.js';

/** What `request.user` is in a test. */
type User = Readonly<Record<string, unknown>>;

/**
 * The user of a test, or a function that finds it for each request; `null` means that the request
 * comes without a token.
 */
export type TestUser = User | ((request: AuthRequest) => User | null | undefined);

/** What passport gives a strategy for each request. */
export interface PassportActions {
  success(user: unknown): void;
  error(error: unknown): void;
}

/** The user of this request, or `undefined`. */
export function userOf(test: TestUser, request: AuthRequest): User | undefined {
  return (typeof test === 'function' ? test(request) : test) ?? undefined;
}

/** Accepts the request as the test's user, or refuses it as one without a token. */
export function authenticateAs(
  test: TestUser,
  request: AuthRequest,
  actions: PassportActions,
): void {
  const user = userOf(test, request);
  if (user === undefined) {
    actions.error(refusal('token_missing'));
    return;
  }
  rememberClaims(request, claimsFrom(user));
  actions.success(user);
}

/** Each route is authenticated as the user. An open route accepts requests without a user too. */
@Injectable()
export class TestRoutes extends RoutePolicyReader {
  override of(context: Parameters<RoutePolicyReader['of']>[0]): RoutePolicy {
    const { isPublic, isOptional } = super.of(context);
    return { isPublic: false, isOptional: isPublic || isOptional, authenticateOptions: undefined };
  }

  /** For a test without AuthModule: without its options, too. */
  static alone(): TestRoutes {
    return new TestRoutes(new Reflector(), { publicMetadataKey: undefined } as ResolvedAuthOptions);
  }
}

/** What JwtAuthGuard needs in a test without AuthModule: a strategy that knows the user. */
export class TestGuardOptions extends JwtAuthGuardOptions implements OnApplicationShutdown {
  readonly #name = `nestjs-logout:testing:${randomUUID()}`;
  readonly #user: TestUser;

  constructor(user: TestUser) {
    super(undefined as never, undefined as never);
    this.#user = user;
    const strategy = {
      authenticate(this: PassportActions, request: AuthRequest): void {
        authenticateAs(user, request, this);
      },
    };
    passport.use(this.#name, strategy as unknown as passport.Strategy);
  }

  override get defaultStrategy(): string {
    return this.#name;
  }

  override tokenOf(request: AuthRequest): string | undefined {
    return userOf(this.#user, request) === undefined ? undefined : 'a token of the test';
  }

  override count(): void {}

  onApplicationShutdown(): void {
    passport.unuse(this.#name);
  }
}

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
