import { Injectable } from '@nestjs/common';
import type { TestingModuleBuilder } from '@nestjs/testing';
import { JwtStrategy } from '../authentication/jwt.strategy.js';
import { type RoutePolicy, RoutePolicyReader } from '../authentication/route-policy.js';
import { AuthSelfTest } from '../authentication/self-test.js';
import type { AuthRequest } from '../context/execution-context.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { rememberClaims } from '../revocation/claims-storage.js';
import { LogConnection } from '../revocation/log-connection.service.js';
import { RevocationLifecycle } from '../revocation/revocation.lifecycle.js';
import type { RevocationStatus } from '../revocation/revocation-status.js';
import { RevocationService } from '../revocation/revocation.service.js';
import type { TokenClaims } from '../revocation/token-claims.js';
import { ACTIVE } from '../revocation/verdict.js';

/**
 * Lets every guarded route pass as this user, without a token and without a database: for tests that
 * are about something else.
 *
 * It reaches `@UseGuards(JwtAuthGuard)` and `{ provide: APP_GUARD, useExisting: JwtAuthGuard }` alike.
 * A service that logs in or out still wants a database, and says so.
 *
 * @param user - What `request.user` shall be; as claims it is completed with an issuer, a subject, a
 * session and an expiry.
 * @example
 * ```ts
 * const builder = Test.createTestingModule({ imports: [AppModule] });
 * const module = await overrideAuth(builder, { sub: 'alice', role: 'admin' }).compile();
 * ```
 * @publicApi
 */
export function overrideAuth(
  builder: TestingModuleBuilder,
  user: Readonly<Record<string, unknown>> = {},
): TestingModuleBuilder {
  // The guard stays the real one: it may stand in `@UseGuards` or behind APP_GUARD, and a testing
  // module can override only one of the two. What it asks is overridden instead.
  @Injectable()
  class TestStrategy extends JwtStrategy {
    override authenticate(request: AuthRequest): void {
      rememberClaims(request, claimsFrom(user));
      this.success(user);
    }
  }
  return builder
    .overrideProvider(JwtStrategy)
    .useClass(TestStrategy)
    .overrideProvider(RoutePolicyReader)
    .useValue(Object.assign(Object.create(RoutePolicyReader.prototype), { of: () => GUARDED }))
    .overrideProvider(AuthSelfTest)
    .useValue({})
    .overrideProvider(RevocationService)
    .useValue(NOTHING_REVOKED)
    .overrideProvider(RevocationLifecycle)
    .useValue({})
    .overrideProvider(LogConnection)
    .useValue({ application: undefined, open: refuse, close: () => Promise.resolve() });
}

/** Every route is authenticated as the user, an optional one too. */
const GUARDED: RoutePolicy = { isPublic: false, isOptional: false, authenticateOptions: undefined };

const NOTHING_REVOKED: Pick<
  RevocationService,
  'assertActive' | 'decide' | 'endOverride' | 'isKeyRevoked' | 'now' | 'override' | 'status'
> = {
  assertActive: () => Promise.resolve(),
  decide: () => ACTIVE,
  isKeyRevoked: () => false,
  now: () => Date.now(),
  override: () => undefined,
  endOverride: () => undefined,
  status: (): RevocationStatus => ({
    ready: true,
    fresh: true,
    staleness: 0,
    position: 0,
    entries: 0,
    following: true,
    contradicted: false,
    whenStale: 'closed',
    override: null,
    observingUntil: null,
    hint: 'off',
  }),
};

function claimsFrom(user: Readonly<Record<string, unknown>>): TokenClaims {
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

function refuse(): Promise<never> {
  return Promise.reject(
    new AuthWiringError(
      'overrideAuth() took the revocation log away, and something of this test reads or writes it.',
      'Override that too: builder.overrideProvider(LogoutService).useValue({ logout: async () => … }).',
      'Or leave overrideAuth out, give the test a database, and use issueTestToken(app, subject).',
    ),
  );
}
