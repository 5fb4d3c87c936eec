import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { TestingModuleBuilder } from '@nestjs/testing';
import { JwtAuthGuard } from '../authentication/jwt-auth.guard.js';
import { requestOf } from '../context/execution-context.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { rememberClaims } from '../revocation/claims-storage.js';
import { LogConnection } from '../revocation/log-connection.service.js';
import { RevocationGuard } from '../revocation/revocation.guard.js';
import { RevocationLifecycle } from '../revocation/revocation.lifecycle.js';
import type { TokenClaims } from '../revocation/token-claims.js';

/** A request of overrideAuth: passport's property beside our own claims. */
interface UserRequest {
  user?: unknown;
}

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
  const guard: CanActivate = {
    canActivate(context: ExecutionContext): boolean {
      const request = requestOf(context);
      (request as UserRequest).user = user;
      rememberClaims(request, claimsFrom(user));
      return true;
    },
  };
  const pass: CanActivate = { canActivate: () => true };
  return builder
    .overrideGuard(JwtAuthGuard)
    .useValue(guard)
    .overrideProvider(JwtAuthGuard)
    .useValue(guard)
    .overrideGuard(RevocationGuard)
    .useValue(pass)
    .overrideProvider(RevocationGuard)
    .useValue(pass)
    .overrideProvider(RevocationLifecycle)
    .useValue({})
    .overrideProvider(LogConnection)
    .useValue({ application: undefined, open: refuse, close: () => Promise.resolve() });
}

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
