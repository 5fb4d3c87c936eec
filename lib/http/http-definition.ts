import { Controller, type Provider, type Type, VERSION_NEUTRAL } from '@nestjs/common';
import { COOKIE_MODE } from '../authentication/token-source.js';
import { AuthCookies } from './auth-cookies.service.js';
import {
  type AuthHttpOptions,
  RESOLVED_HTTP_OPTIONS,
  type ResolvedHttpOptions,
  resolveHttpOptions,
} from './http-options.js';
import { LoginRoutes, RefreshRoutes } from './login.routes.js';
import { LogoutRoutes } from './logout.routes.js';
import { PresentedSessions } from './presented-sessions.service.js';
import { SessionsRoutes } from './sessions.routes.js';
import { JwksController, TokenIntrospector, TokenRoutes } from './token.routes.js';

/** What the option `http` adds to AuthModule. */
export interface HttpDefinition {
  readonly controllers: Type[];
  readonly providers: Provider[];
}

/**
 * The routes, and what they need; without the option only that tokens are not looked for in cookies.
 *
 * @throws InvalidAuthOptionsError when the option is wrong.
 */
export function httpDefinition(given: AuthHttpOptions | undefined): HttpDefinition {
  if (given === undefined) {
    return { controllers: [], providers: [{ provide: COOKIE_MODE, useValue: null }, AuthCookies] };
  }
  const options = resolveHttpOptions(given);
  return {
    controllers: [...controllersAt(options), JwksController],
    providers: [
      { provide: COOKIE_MODE, useValue: options.cookies },
      { provide: RESOLVED_HTTP_OPTIONS, useValue: options },
      AuthCookies,
      PresentedSessions,
      TokenIntrospector,
    ],
  };
}

/** Made for each registration: the prefix stands in a decorator, and two applications may differ. */
function controllersAt({ prefix: path, verifyCredentials }: ResolvedHttpOptions): Type[] {
  // The version of an application's own API says nothing about its logout.
  const at = { path, version: VERSION_NEUTRAL } as const;

  @Controller(at)
  class AuthLoginController extends LoginRoutes {}

  @Controller(at)
  class AuthRefreshController extends RefreshRoutes {}

  @Controller(at)
  class AuthLogoutController extends LogoutRoutes {}

  @Controller(at)
  class AuthSessionsController extends SessionsRoutes {}

  @Controller(at)
  class AuthTokenController extends TokenRoutes {}

  return [
    ...(verifyCredentials === undefined ? [] : [AuthLoginController]),
    AuthRefreshController,
    AuthLogoutController,
    AuthSessionsController,
    AuthTokenController,
  ];
}
