export { AuthModule } from './auth.module.js';
export type { AuthModuleExtras } from './auth.module-definition.js';

export { AuthExceptionFilter } from './platform/auth-exception.filter.js';
export { type HandshakeRequest, rememberHandshake } from './platform/handshake.js';
export { AuthClock, type CancelSchedule } from './platform/auth-clock.js';

export {
  AuthException,
  type AuthExceptionDetails,
  AuthTooManyAttemptsException,
  AuthUnauthorizedException,
  AuthUnavailableException,
} from './errors/auth.exception.js';
export type { AuthErrorCode } from './errors/error-codes.js';
export {
  AuthWiringError,
  InvalidAuthOptionsError,
  type OptionProblem,
} from './errors/auth-wiring.error.js';

export type {
  AuthOptions,
  AuthOptionsFactory,
  AuthSettings,
  ClaimsValidator,
  UserValidator,
  WithKeys,
  WithSecret,
} from './options/auth-options.js';
export type { ApiTokenOptions, ApiTokenSettings } from './options/api-token-options.js';
export type { ForeignIssuerOptions } from './options/foreign-issuers.js';
export type {
  AuthKeyOptions,
  AuthKeySource,
  KeyMaterial,
  KeyPairAlgorithm,
  PrivateKeyOptions,
  PublicKeyOptions,
  SecretKeyOptions,
  SecretMaterial,
} from './options/auth-key.js';
export type { LegacyOptions } from './options/legacy-options.js';
export type {
  ObserveOptions,
  OperationSettings,
  StalePolicy,
} from './options/operation-settings.js';
export type { BindingOptions, ClientBinding } from './options/binding-option.js';
export type { DpopRequest } from './binding/client-request.js';
export type {
  ClaimsContext,
  ClaimsLoader,
  ClaimsSource,
  SessionSettings,
} from './options/session-settings.js';
export type { SigningAlgorithm } from './options/auth-key.js';
export type { Duration } from './options/duration.js';
export { secretKid } from './options/key-material.js';

export {
  REVOCATION_REASONS,
  type RevocationKind,
  type RevocationReason,
} from './database/entities/revocation-event.entity.js';
export type { TokenClaims, TokenIdentity, VerifiedClaims } from './options/token-claims.js';
export type { DecisionOptions } from './revocation/revocation-decider.service.js';
export type { RevocationStatus } from './revocation/revocation.service.js';
export { RevocationService, type AssertActiveOptions } from './revocation/revocation.service.js';
export { kidOf } from './revocation/token-identity.js';
export type {
  HintConnection,
  HintContext,
  HintState,
  RevocationHint,
} from './options/revocation-hint.js';
export { RecentLogin } from './revocation/recent-login.js';
export { RevocationGuard } from './revocation/revocation.guard.js';
export { Freshness } from './revocation/staleness/freshness.decorators.js';
export { WhenStale } from './revocation/staleness/freshness.decorators.js';
export type {
  OverrideStatus,
  StalenessOverride,
} from './revocation/staleness/staleness-override.service.js';
export type { Leniency, Verdict } from './revocation/verdict.js';
export { AuthAccount } from './database/entities/auth-account.entity.js';
export { authEntities } from './database/entities/auth-entities.js';
export { AuthSession } from './database/entities/auth-session.entity.js';
export { RevocationEvent } from './database/entities/revocation-event.entity.js';
export { authMigrations, authTables, type AuthTables } from './database/auth-migrations.js';
export type { LogPosition } from './revocation/log/log-positions.service.js';

export { JwtStrategy } from './authentication/jwt.strategy.js';
export { AccessTokenGuard } from './authentication/access-token.guard.js';
export { JwtAuthGuard } from './authentication/jwt-auth.guard.js';
export {
  type TokenExplanation,
  TokenService,
  type VerifyTokenOptions,
} from './authentication/token.service.js';
export type { TokenEnding } from './revocation/log/token-endings.js';
export type { LiveToken } from './live/watch.js';
export {
  LiveTokens,
  type UntilRevokedOptions,
  type WatchOptions,
} from './live/live-tokens.service.js';
export {
  type AcceptSocketOptions,
  type LiveSocket,
  LiveSockets,
  type SocketIoSocket,
  type WsSocket,
} from './live/live-sockets.service.js';
export { RevocationSignal } from './live/revocation-signal.decorator.js';
export type { StreamEnd } from './live/until-revoked.js';
export { KeyService } from './authentication/key-ring.js';
export {
  AllowExpired,
  CurrentToken,
  CurrentUser,
  OptionalAuth,
  Public,
} from './authentication/decorators.js';

export {
  type AuthEvent,
  AuthEvents,
  type AuthEventScope,
  type AuthEventType,
} from './events/auth-events.service.js';

export {
  ApiTokenService,
  type IssuedApiToken,
  type RevokeApiTokenOptions,
} from './api-tokens/api-token.service.js';
export type { IssueApiToken } from './api-tokens/api-token-input.js';
export type { ApiTokenInfo, ApiTokenPage } from './api-tokens/api-token-list.js';

export type { ClientLifetimes } from './options/client-lifetimes.js';
export type { ConfirmContext } from './sessions/confirm.service.js';
export { SessionService } from './sessions/session.service.js';
export type {
  AuthenticatedSubject,
  ClientContext,
  RefreshContext,
  LoginContext,
  LoginResult,
  LoginSince,
} from './sessions/login-context.js';
export type { SessionInfo } from './sessions/session-list.js';
export type { SessionListOptions, SessionPage } from './sessions/session-list.js';

export type { Delivery } from './database/entities/auth-session.entity.js';
export type { ReuseClass } from './sessions/reuse.js';

export {
  AccountService,
  type AccountActOptions,
  type AccountChangeOptions,
  type Subject,
} from './accounts/account.service.js';

export { type GuessLimit, limitGuesses } from './http/guess-limit.js';
export { AuthCookies } from './http/auth-cookies.service.js';
export { authRoutesToExclude } from './http/token.routes.js';
export type {
  AuthHttpOptions,
  Credentials,
  CredentialsVerifier,
  VerifyCredentials,
} from './http/http-options.js';
export type { CookieOptions, FormerCookie, SiteData } from './http/cookie-options.js';
export type { CookieResponse } from './platform/cookies.js';
export type { SessionAnswer } from './http/sessions.routes.js';
export type { TokenAnswer } from './http/login.routes.js';

export { LogoutService } from './logout/logout.service.js';
export type {
  GrantLogoutOptions,
  KeyRevocationPreview,
  LogoutAllOptions,
  RevokeKeyOptions,
  SubjectLogoutOptions,
  TokenLogoutOptions,
} from './logout/logout-options.js';
export type { LogoutOptions, LogoutReceipt } from './revocation/revocation-writer.service.js';
