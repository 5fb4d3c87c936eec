/** Every value of `nestjs-logout`, by hand: a name that comes or goes is a decision. */
export const DOCUMENTED: readonly string[] = [
  'AccountService',
  'AllowExpired',
  'AuthClock',
  'AuthCookies',
  'AuthEvents',
  'AuthException',
  'AuthModule',
  'AuthUnauthorizedException',
  'AuthUnavailableException',
  'AuthWiringError',
  'CurrentToken',
  'CurrentUser',
  'Freshness',
  'InvalidAuthOptionsError',
  'JwtAuthGuard',
  'JwtStrategy',
  'KeyService',
  'LogoutService',
  'OptionalAuth',
  'Public',
  'REVOCATION_REASONS',
  'RevocationGuard',
  'RevocationService',
  'SessionService',
  'TokenService',
  'WhenStale',
  'authMigrations',
  'authRoutesToExclude',
  'secretKid',
];

/** Every value of `nestjs-logout/testing`. */
export const DOCUMENTED_FOR_TESTS: readonly string[] = [
  'TestClock',
  'issueTestToken',
  'overrideAuth',
];

/** Every value of `nestjs-logout/terminus`. */
export const DOCUMENTED_FOR_TERMINUS: readonly string[] = ['AuthHealthIndicator'];

/** Every value of `nestjs-logout/prometheus`. */
export const DOCUMENTED_FOR_PROMETHEUS: readonly string[] = ['AuthPrometheusModule'];
