import type { Type } from '@nestjs/common';
import type { MockFactory, TestingModuleBuilder } from '@nestjs/testing';
import { AccessTokenStrategy, LOGIN_STRATEGY } from '../authentication/access-token.guard.js';
import { RoutePolicyReader } from '../authentication/jwt-auth.guard.js';
import { JwtStrategy } from '../authentication/jwt.strategy.js';
import { AuthSelfTest } from '../authentication/self-test.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import { LogConnection } from '../revocation/log/log-connection.service.js';
import { RevocationDecider } from '../revocation/revocation-decider.service.js';
import { RevocationLifecycle } from '../revocation/revocation.lifecycle.js';
import { RevocationService, type RevocationStatus } from '../revocation/revocation.service.js';
import { ACTIVE } from '../revocation/verdict.js';
import { testStrategy, TestRoutes, type TestUser } from './test-user.js';

/**
 * Authenticates every request of a test as this user, without a token, a secret or a database. Use it in
 * tests that are not about authentication.
 *
 * It works for `@UseGuards(JwtAuthGuard)`, for subclasses, and for `{ provide: APP_GUARD, useExisting:
 * JwtAuthGuard }`. AuthModule may be imported or not, as in a test of a single controller. A service that
 * logs in or out still needs a database, and throws an AuthWiringError that says so.
 *
 * @param user - The value of `request.user`, or a function that returns it for each request. `null` means
 * that the request has no token: it gets 401 unless the route is public or optional. The claims of the
 * token are this object, with an issuer, a subject, a session and an expiry if it has none.
 * @returns the same builder.
 * @example
 * ```ts
 * const builder = Test.createTestingModule({ controllers: [OrdersController] });
 * const module = await overrideAuth(builder, { sub: 'alice', role: 'admin' }).compile();
 * ```
 * @example A user for each request:
 * ```ts
 * overrideAuth(builder, ({ headers }) => users.get(String(headers['x-user'])) ?? null);
 * ```
 * @publicApi
 */
export function overrideAuth(
  builder: TestingModuleBuilder,
  user: TestUser = {},
): TestingModuleBuilder {
  // The real guard stays. It may be used in `@UseGuards` or as APP_GUARD, and a testing module can override
  // only one of the two. So the providers that the guard calls are overridden instead.
  const TestStrategy = testStrategy(user);
  supplyWhatIsMissing(builder, TestStrategy);
  return builder
    .overrideProvider(JwtStrategy)
    .useClass(TestStrategy)
    .overrideProvider(AccessTokenStrategy)
    .useFactory({ factory: (strategy: unknown) => strategy, inject: [JwtStrategy] })
    .overrideProvider(LOGIN_STRATEGY)
    .useFactory({ factory: (strategy: unknown) => strategy, inject: [JwtStrategy] })
    .overrideProvider(RoutePolicyReader)
    .useClass(TestRoutes)
    .overrideProvider(AuthSelfTest)
    .useValue({})
    .overrideProvider(RevocationService)
    .useValue(NOTHING_REVOKED)
    .overrideProvider(RevocationDecider)
    .useValue({ decide: NOTHING_REVOKED.decide })
    .overrideProvider(RevocationLifecycle)
    .useValue({})
    .overrideProvider(LogConnection)
    .useValue({ application: undefined, open: refuse, close: () => Promise.resolve() });
}

/** Without AuthModule there is no provider to override, so the mocker supplies what a guard injects. */
function supplyWhatIsMissing(builder: TestingModuleBuilder, TestStrategy: Type): void {
  const supplied = new Map<unknown, () => unknown>([
    [JwtStrategy, () => new TestStrategy({})],
    [AccessTokenStrategy, () => new TestStrategy({})],
    [AuthMeter, () => new AuthMeter()],
    [RoutePolicyReader, () => TestRoutes.alone()],
    [RevocationService, () => NOTHING_REVOKED],
  ]);
  const useMocker = builder.useMocker.bind(builder);
  // A builder has only one mocker. The mocker of the test, set before or after, supplies all other providers.
  builder.useMocker = (mocker) => useMocker((token) => supplied.get(token)?.() ?? mocker?.(token));
  builder.useMocker(Reflect.get(builder, 'mocker') as MockFactory);
}

const NOTHING_REVOKED: Pick<
  RevocationService,
  | 'assertActive'
  | 'decide'
  | 'endOverride'
  | 'identify'
  | 'isKeyRevoked'
  | 'now'
  | 'override'
  | 'status'
> = {
  assertActive: () => Promise.resolve(),
  decide: () => ACTIVE,
  identify: (claims) => claims,
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

function refuse(): Promise<never> {
  return Promise.reject(
    new AuthWiringError(
      'overrideAuth() took the revocation log away, and something of this test reads or writes it.',
      'Override that too: builder.overrideProvider(LogoutService).useValue({ logout: async () => … }).',
      'Or leave overrideAuth out, give the test a database, and use issueTestToken(app, subject).',
    ),
  );
}
