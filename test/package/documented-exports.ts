/** Every value of `nestjs-logout`, by hand: adding or removing a name is a decision. */
export const DOCUMENTED: readonly string[] = [
  'AccessTokenGuard',
  'AccountService',
  'AllowExpired',
  'ApiTokenService',
  'AuthAccount',
  'AuthClock',
  'AuthCookies',
  'AuthEvents',
  'AuthException',
  'AuthExceptionFilter',
  'AuthModule',
  'AuthSession',
  'AuthTooManyAttemptsException',
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
  'LiveSockets',
  'LiveTokens',
  'LogoutService',
  'OptionalAuth',
  'Public',
  'REVOCATION_REASONS',
  'RecentLogin',
  'RevocationEvent',
  'RevocationGuard',
  'RevocationService',
  'RevocationSignal',
  'SessionService',
  'TokenService',
  'WhenStale',
  'authEntities',
  'authMigrations',
  'authRoutesToExclude',
  'authTables',
  'kidOf',
  'limitGuesses',
  'rememberHandshake',
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
/** Every value of `nestjs-logout/postgres`, `/redis` and `/nats`. */
export const DOCUMENTED_HINTS = {
  postgres: ['postgresHint'],
  redis: ['redisHint'],
  nats: ['natsHint'],
} as const;
