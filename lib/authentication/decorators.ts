import {
  createParamDecorator,
  type ExecutionContext,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { TokenClaims } from '../options/token-claims.js';
import { claimsOf, KID_OF_CLAIMS, kidOfRequest, requestOf } from '../platform/request.js';

/**
 * Makes a route public: `JwtAuthGuard` requires no token and ignores one that is sent.
 * `@OptionalAuth()`, `@AllowExpired()` or `@RecentLogin()` on the same handler or class stops the
 * boot. `@Freshness()` and `@WhenStale()` beside it apply only to a `RevocationGuard`.
 *
 * @example
 * ```ts
 * @Public() @Get('health') health() { … }
 * ```
 * @publicApi
 */
export const Public = Reflector.createDecorator<boolean | undefined, boolean>({
  // A fixed key also works with two copies of the package. Without the transform the value would be
  // {}.
  key: 'nestjs-logout:public',
  transform: (value = true) => value,
});

/**
 * Accepts requests without a token, which then have no user. An invalid token is still refused.
 *
 * @example
 * ```ts
 * @OptionalAuth() @Get('articles') list(@CurrentUser() user?: User) { … }
 * ```
 * @publicApi
 */
export const OptionalAuth = Reflector.createDecorator<boolean | undefined, boolean>({
  key: 'nestjs-logout:optional-auth',
  transform: (value = true) => value,
});

/**
 * For logout routes: accepts a token that has expired or was revoked, so that a logout can be
 * repeated. Its signature and claims are checked as usual, and a token of a revoked key is refused.
 *
 * Never use it on a route that returns data or does anything but log out. `@Freshness()` or
 * `@WhenStale()` on the same handler or class stops the boot, because a token that may be revoked
 * needs no proof. If one is on the handler and the other on its class, the handler's applies.
 *
 * @publicApi
 */
export const AllowExpired = Reflector.createDecorator<boolean | undefined, boolean>({
  key: 'nestjs-logout:allow-expired',
  transform: (value = true) => value,
});

/**
 * Injects `request.user`, the result of the option `validate` (by default the claims), or one of its
 * properties; `undefined` if no one is logged in.
 *
 * @example
 * ```ts
 * @Get('me') me(@CurrentUser() user: User, @CurrentUser('name') name: string) { … }
 * ```
 * @publicApi
 */
// The type is written explicitly, because the inferred type only exists in Nest 12.
export const CurrentUser: (
  ...propertyOrPipes: (string | PipeTransform | Type<PipeTransform> | undefined)[]
) => ParameterDecorator = createParamDecorator(
  (property: string | undefined, context: ExecutionContext): unknown => {
    const { user } = requestOf(context) as { user?: Record<string, unknown> | null };
    if (user === undefined || user === null) return undefined;
    return property === undefined ? user : user[property];
  },
);

/**
 * Injects the verified claims of the request's token, whatever `request.user` is; `undefined` if there is no
 * token.
 *
 * @example
 * ```ts
 * @AllowExpired() @Post('logout') logout(@CurrentToken() token: TokenClaims) {
 *   return this.logoutService.logout(token);
 * }
 * ```
 * @publicApi
 */
export const CurrentToken: (
  ...pipes: (PipeTransform | Type<PipeTransform>)[]
) => ParameterDecorator = createParamDecorator(
  (_: unknown, context: ExecutionContext): TokenClaims | undefined => {
    const request = requestOf(context);
    const claims = claimsOf<TokenClaims>(request);
    const kid = kidOfRequest(request);
    if (claims !== undefined && kid !== undefined) KID_OF_CLAIMS.set(claims, kid);
    return claims;
  },
);
