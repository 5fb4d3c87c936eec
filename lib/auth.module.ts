import {
  Controller,
  type DynamicModule,
  Module,
  type NestModule,
  type OnModuleInit,
  type Provider,
  type Type,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { APP_FILTER, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { AccountEraser } from './accounts/account-eraser.service.js';
import { AccountService } from './accounts/account.service.js';
import { ApiTokenService } from './api-tokens/api-token.service.js';
import { OpaqueTokenLookup } from './api-tokens/opaque-token-lookup.service.js';
import { authCoreModule } from './auth-core.module.js';
import {
  type ASYNC_OPTIONS_TYPE,
  type AuthModuleExtras,
  ConfigurableModuleClass,
  type OPTIONS_TYPE,
} from './auth.module-definition.js';
import {
  AccessTokenGuard,
  AccessTokenStrategy,
  LOGIN_STRATEGY,
  LoginTokenStrategy,
} from './authentication/access-token.guard.js';
import { JwtAuthGuard, RoutePolicyReader } from './authentication/jwt-auth.guard.js';
import { jwtServiceModule } from './authentication/jwt.service.js';
import { JwtStrategy } from './authentication/jwt.strategy.js';
import { KeyRing, KeyService } from './authentication/key-ring.js';
import { OpaqueTokens } from './authentication/opaque-tokens.js';
import { AuthSelfTest } from './authentication/self-test.js';
import { COOKIE_MODE, TokenSource } from './authentication/token-source.js';
import { TokenVerifier } from './authentication/token-verifier.js';
import { TokenService } from './authentication/token.service.js';
import { TOKEN_BINDING, TokenBinding } from './binding/token-binding.js';
import { VerifiedTokens } from './authentication/verified-tokens.js';
import { AuthWiringError } from './errors/auth-wiring.error.js';
import { AuthEvents } from './events/auth-events.service.js';
import { AuthMeter } from './events/auth-meter.service.js';
import { AuthCookies } from './http/auth-cookies.service.js';
import {
  type AuthHttpOptions,
  RESOLVED_HTTP_OPTIONS,
  resolveHttpOptions,
} from './http/http-options.js';
import { LoginRoutes, RefreshRoutes } from './http/login.routes.js';
import { LogoutRoutes } from './http/logout.routes.js';
import { acceptUnreadBodies } from './http/own-routes.js';
import { SessionsRoutes } from './http/sessions.routes.js';
import { JwksController, TokenIntrospector, TokenRoutes } from './http/token.routes.js';
import { LiveSockets } from './live/live-sockets.service.js';
import { LiveTokens } from './live/live-tokens.service.js';
import { ActIssuer } from './logout/act-issuer.service.js';
import { ScopedLogout } from './logout/scoped-logout.service.js';
import { LogoutService } from './logout/logout.service.js';
import {
  assertOneCopyOfNest,
  AuthExceptionFilter,
  REFUSAL_COUNTER,
} from './platform/auth-exception.filter.js';
import { ResolvedAuthOptions } from './options/resolved-auth-options.js';
import { AuthClock } from './platform/auth-clock.js';
import { RevocationWriter } from './revocation/revocation-writer.service.js';
import { RecentLogin } from './revocation/recent-login.js';
import { RevocationGuard } from './revocation/revocation.guard.js';
import { AccessTokenSigner } from './sessions/access-token.signer.js';
import { ConfirmService } from './sessions/confirm.service.js';
import { RefreshTokenLookup } from './sessions/refresh-token-lookup.service.js';
import { LoginService } from './sessions/login.service.js';
import { RefreshService } from './sessions/refresh.service.js';
import { SessionService } from './sessions/session.service.js';

const PUBLIC = [
  AccountService,
  ApiTokenService,
  AccessTokenGuard,
  JwtAuthGuard,
  RevocationGuard,
  TokenService,
  LiveTokens,
  LiveSockets,
  KeyService,
  SessionService,
  LogoutService,
];

const PROVIDERS = [
  ...PUBLIC,
  TokenVerifier,
  TokenSource,
  JwtStrategy,
  AccessTokenStrategy,
  OpaqueTokenLookup,
  {
    provide: LOGIN_STRATEGY,
    inject: [ResolvedAuthOptions, JwtStrategy, TokenVerifier, OpaqueTokens],
    useFactory: (
      { accessTokens }: ResolvedAuthOptions,
      jwt: JwtStrategy,
      verifier: TokenVerifier,
      opaque: OpaqueTokens | undefined,
    ) => (accessTokens === 'opaque' ? new LoginTokenStrategy(jwt, verifier, opaque) : jwt),
  },
  {
    provide: OpaqueTokens,
    inject: [ResolvedAuthOptions, OpaqueTokenLookup],
    // If API tokens are off, a request runs no code of theirs.
    useFactory: ({ apiTokens }: ResolvedAuthOptions, lookup: OpaqueTokenLookup) =>
      apiTokens === undefined ? undefined : lookup,
  },
  RoutePolicyReader,
  VerifiedTokens,
  AuthSelfTest,
  AccessTokenSigner,
  RevocationWriter,
  ActIssuer,
  ScopedLogout,
  AccountEraser,
  RefreshTokenLookup,
  LoginService,
  RefreshService,
  ConfirmService,
  {
    provide: TOKEN_BINDING,
    inject: [ResolvedAuthOptions, KeyRing, AuthClock, AuthEvents],
    useFactory: TokenBinding.create,
  },
  { provide: APP_FILTER, useClass: AuthExceptionFilter },
  { provide: REFUSAL_COUNTER, useExisting: AuthMeter },
];

/**
 * Makes logout take effect on the server. Import it once, in the root module, put
 * `@UseGuards(JwtAuthGuard)` on controllers, and inject {@link LogoutService}.
 *
 * @publicApi
 */
@Module({})
export class AuthModule extends ConfigurableModuleClass implements NestModule, OnModuleInit {
  constructor(
    private readonly modules: ModulesContainer,
    private readonly host: HttpAdapterHost,
  ) {
    super();
  }

  /**
   * Registers the module with options that are known now.
   *
   * @throws InvalidAuthOptionsError at boot. It lists each wrong option, what was given, and the fix.
   * @example
   * ```ts
   * AuthModule.forRoot({
   *   secret: process.env.AUTH_SECRET!,
   *   issuer: 'https://auth.example.com',
   *   audience: 'https://api.example.com',
   *   migrations: 'run',
   * })
   * ```
   */
  static override forRoot(options: typeof OPTIONS_TYPE): DynamicModule {
    return complete(super.forRoot(options), options);
  }

  /**
   * Registers the module with options from other providers: `useFactory`, or `useClass` or `useExisting`
   * with a method `createAuthOptions()` ({@link AuthOptionsFactory}).
   *
   * Set `isGlobal`, `http` and `exportJwtService` beside the factory; it cannot return them. `claims` and
   * `validate` may be provider classes, also beside the factory. They are looked up after all instances
   * exist, so they may inject `LogoutService`.
   *
   * The providers in `inject` may not depend on AuthModule, and may not be request-scoped.
   *
   * @throws InvalidAuthOptionsError at boot, as {@link AuthModule.forRoot} does.
   * @throws AuthWiringError at boot for a provider in `inject` that depends on AuthModule or is
   * request-scoped.
   * @example
   * ```ts
   * AuthModule.forRootAsync({
   *   inject: [ConfigService],
   *   useFactory: (config: ConfigService) => ({
   *     secret: config.getOrThrow<string>('AUTH_SECRET'),
   *     issuer: 'https://auth.example.com',
   *     audience: 'https://api.example.com',
   *   }),
   *   claims: UsersService,
   * })
   * ```
   */
  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return complete(super.forRootAsync(options), options);
  }

  /**
   * Nest calls it when the HTTP adapter exists and no route is registered yet. Fastify runs a hook `onRoute`
   * only for routes that are registered after the hook.
   *
   * @internal
   */
  configure(): void {
    acceptUnreadBodies(this.host.httpAdapter);
  }

  /** @throws AuthWiringError for more than one AuthModule, or for a second copy of @nestjs/common. */
  onModuleInit(): void {
    assertOneCopyOfNest();
    const count = [...this.modules.values()].filter(
      ({ metatype }) => metatype === AuthModule,
    ).length;
    if (count === 1) return;
    throw new AuthWiringError(
      `AuthModule is registered ${count} times in this application. Each would ignore the logouts of the others.`,
      'Call AuthModule.forRoot() once, in the root module; it is global, so feature modules need not import it.',
    );
  }
}

/**
 * Adds the core, the routes and the exports to the definition that Nest's builder made. AuthModule and the
 * JwtModule import the same core object, and so share one key ring and one index.
 */
function complete(
  { imports = [], providers = [], ...definition }: DynamicModule,
  { http, claims, validate, exportJwtService = true }: AuthModuleExtras,
): DynamicModule {
  const routes = httpDefinition(http);
  const core = authCoreModule(imports, providers, { claims, validate });
  return {
    ...definition,
    module: AuthModule,
    imports: exportJwtService ? [core, jwtServiceModule(core)] : [core],
    controllers: routes.controllers,
    providers: [...PROVIDERS, ...routes.providers],
    exports: [
      ...PUBLIC,
      AuthCookies,
      AccessTokenStrategy,
      JwtStrategy,
      RoutePolicyReader,
      REFUSAL_COUNTER,
      core,
    ],
  };
}

interface HttpDefinition {
  readonly controllers: Type[];
  readonly providers: Provider[];
}

/**
 * The controllers and providers of the routes. Without the option there are no controllers, and guards read
 * no cookies.
 *
 * @throws InvalidAuthOptionsError if the option is wrong.
 */
function httpDefinition(given: AuthHttpOptions | undefined): HttpDefinition {
  if (given === undefined) {
    return { controllers: [], providers: [{ provide: COOKIE_MODE, useValue: null }, AuthCookies] };
  }
  const options = resolveHttpOptions(given);
  const { prefix, verifyCredentials, recentLogin } = options;
  const routes = [
    ...(verifyCredentials === undefined ? [] : [LoginRoutes]),
    RefreshRoutes,
    LogoutRoutes,
    TokenRoutes,
  ].map((each) => controllerAt(prefix, each));
  const sessions = controllerAt(prefix, SessionsRoutes);
  if (recentLogin !== undefined) RecentLogin(recentLogin / 1000)(sessions);
  return {
    controllers: [...routes, sessions, JwksController],
    providers: [
      { provide: COOKIE_MODE, useValue: options.cookies },
      { provide: RESOLVED_HTTP_OPTIONS, useValue: options },
      AuthCookies,
      TokenIntrospector,
    ],
  };
}

/**
 * Derives a controller with this path. Each registration gets its own classes, because a decorator sets the
 * path on the class, and two applications in one process may have different prefixes.
 */
function controllerAt(path: string, routes: Type): Type {
  const controller = class extends routes {};
  // Nest logs the name at boot.
  Object.defineProperty(controller, 'name', {
    value: `Auth${routes.name.replace('Routes', 'Controller')}`,
  });
  // With URI versioning, the routes of the library keep their paths when the application's API gets a
  // new version.
  Controller({ path, version: VERSION_NEUTRAL })(controller);
  return controller;
}
