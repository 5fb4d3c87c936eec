import { Controller, type Provider, type Type, VERSION_NEUTRAL } from '@nestjs/common';
import { COOKIE_MODE } from '../authentication/token-source.js';
import { AuthCookies } from './auth-cookies.service.js';
import { type AuthHttpOptions, RESOLVED_HTTP_OPTIONS, resolveHttpOptions } from './http-options.js';
import { LoginRoutes, RefreshRoutes } from './login.routes.js';
import { LogoutRoutes } from './logout.routes.js';
import { SessionsRoutes } from './sessions.routes.js';
import { JwksController, TokenIntrospector, TokenRoutes } from './token.routes.js';

/** What the option `http` adds to AuthModule. */
interface HttpDefinition {
  readonly controllers: Type[];
  readonly providers: Provider[];
}

/**
 * The routes, and what they need; without the option only that no token is read from a cookie.
 *
 * @throws InvalidAuthOptionsError when the option is wrong.
 */
export function httpDefinition(given: AuthHttpOptions | undefined): HttpDefinition {
  if (given === undefined) {
    return { controllers: [], providers: [{ provide: COOKIE_MODE, useValue: null }, AuthCookies] };
  }
  const options = resolveHttpOptions(given);
  const { prefix, verifyCredentials } = options;
  const routes = [
    ...(verifyCredentials === undefined ? [] : [LoginRoutes]),
    RefreshRoutes,
    LogoutRoutes,
    SessionsRoutes,
    TokenRoutes,
  ];
  return {
    controllers: [...routes.map((each) => controllerAt(prefix, each)), JwksController],
    providers: [
      { provide: COOKIE_MODE, useValue: options.cookies },
      { provide: RESOLVED_HTTP_OPTIONS, useValue: options },
      AuthCookies,
      TokenIntrospector,
    ],
  };
}

/**
 * A controller of its own for each registration, because its path is in a decorator and two applications
 * in one process may have different prefixes.
 */
function controllerAt(path: string, routes: Type): Type {
  const controller = class extends routes {};
  // Nest logs it at boot.
  Object.defineProperty(controller, 'name', {
    value: `Auth${routes.name.replace('Routes', 'Controller')}`,
  });
  // The version of an application's own API says nothing about its logout.
  Controller({ path, version: VERSION_NEUTRAL })(controller);
  return controller;
}
