import {
  Controller,
  Get,
  HttpCode,
  Inject,
  Injectable,
  Post,
  Req,
  RequestMethod,
  UseGuards,
  VERSION_NEUTRAL,
} from '@nestjs/common';
import { AuthException, refusal } from '../errors/auth.exception.js';
import { CurrentToken, Public } from '../authentication/decorators.js';
import { LoginGuard } from '../authentication/access-token.guard.js';
import { KeyRing, type PublicJwk } from '../authentication/key-ring.js';
import { TokenService } from '../authentication/token.service.js';
import { LogoutService } from '../logout/logout.service.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { TokenClaims } from '../options/token-claims.js';
import { RefreshService } from '../sessions/refresh.service.js';
import { isRefreshToken } from '../sessions/refresh-token.js';
import { RESOLVED_HTTP_OPTIONS, type ResolvedHttpOptions } from './http-options.js';
import { auditOf, badRequest, type HttpRequest, textOf, OwnRoutes } from './own-routes.js';

/** The body of a response of `POST introspect` (RFC 7662 section 2.2). */
export type Introspection =
  | { readonly active: false }
  | {
      readonly active: true;
      /**
       * `Bearer` for an access token, `DPoP` for one that is bound to a key (`cnf`). A refresh token has a
       * type of its own, so that a resource server does not accept it as an access token.
       */
      readonly token_type: 'Bearer' | 'DPoP' | 'refresh_token';
      readonly [member: string]: unknown;
    };

const INACTIVE: Introspection = Object.freeze({ active: false });

/** Finds out whether a token is active, and returns its claims if it is. */
@Injectable()
export class TokenIntrospector {
  constructor(
    private readonly tokens: TokenService,
    private readonly refreshes: RefreshService,
    private readonly options: ResolvedAuthOptions,
  ) {}

  /** @throws AuthUnavailableException 503 while this instance cannot check for revocation. */
  async introspect(token: string): Promise<Introspection> {
    return isRefreshToken(token) ? this.ofRefresh(token) : this.ofAccess(token);
  }

  private async ofAccess(token: string): Promise<Introspection> {
    try {
      // `active` and `token_type` are last, so that no claim of the application can replace them.
      const claims = await this.tokens.verify(token, { ignoreBinding: true });
      const isBound = (claims['cnf'] as { readonly jkt?: unknown } | undefined)?.jkt !== undefined;
      return { ...claims, active: true, token_type: isBound ? 'DPoP' : 'Bearer' };
    } catch (error) {
      if (error instanceof AuthException && error.getStatus() === 401) return INACTIVE;
      throw error;
    }
  }

  private async ofRefresh(token: string): Promise<Introspection> {
    const found = await this.refreshes.inspect(token);
    if (found === undefined) return INACTIVE;
    const { session, refresh } = found;
    return {
      active: true,
      token_type: 'refresh_token',
      iss: this.options.issuer,
      sub: session.subject,
      sid: session.sid,
      exp: Math.floor(refresh.expiresAt / 1000),
    };
  }
}

/** `POST revoke` (RFC 7009) and `POST introspect` (RFC 7662), with a form or JSON. */
@OwnRoutes()
export class TokenRoutes {
  constructor(
    private readonly logoutService: LogoutService,
    private readonly introspector: TokenIntrospector,
    @Inject(RESOLVED_HTTP_OPTIONS) private readonly options: ResolvedHttpOptions,
  ) {}

  /**
   * Ends the session of an access token or refresh token. Having the token is enough; no other login is
   * needed. Unknown, expired and foreign tokens get 200 too, so that the response reveals nothing about the
   * token (RFC 7009 section 2.2). `token_type_hint` is ignored, because the two kinds look different.
   */
  @Post('revoke')
  @HttpCode(200)
  @Public()
  async revoke(@Req() request: HttpRequest): Promise<void> {
    try {
      await this.logoutService.logout(tokenOf(request), auditOf(request));
    } catch (error) {
      const isNoToken = error instanceof AuthException && error.code !== 'invalid_request';
      if (!isNoToken || error.getStatus() >= 500) throw error;
    }
  }

  /** @throws AuthException 403 `forbidden` unless `mayIntrospect` returns `true` for the caller's claims. */
  @Post('introspect')
  @HttpCode(200)
  @UseGuards(LoginGuard)
  async introspect(
    @Req() request: HttpRequest,
    @CurrentToken() caller: TokenClaims,
  ): Promise<Introspection> {
    if ((await this.options.mayIntrospect(caller)) !== true) {
      throw refusal('forbidden');
    }
    return this.introspector.introspect(tokenOf(request));
  }
}

/** @throws AuthException 400 `invalid_request`. */
function tokenOf(request: HttpRequest): string {
  const token = textOf(request, 'token');
  if (token === undefined) throw badRequest('The parameter token is missing.');
  return token;
}

/** `GET /.well-known/jwks.json`: the public keys, for services that verify tokens themselves. */
@Public()
@OwnRoutes()
@Controller({ path: '.well-known', version: VERSION_NEUTRAL })
export class JwksController {
  constructor(private readonly keys: KeyRing) {}

  @Get('jwks.json')
  jwks(): { readonly keys: readonly PublicJwk[] } {
    return { keys: this.keys.publicKeys() };
  }
}

/**
 * The routes that a global prefix must not move, for the option `exclude` of `setGlobalPrefix()`. Clients
 * look for well-known addresses at the root of the host (RFC 8615 section 3).
 *
 * @example
 * ```ts
 * app.setGlobalPrefix('api', { exclude: authRoutesToExclude });
 * ```
 * @publicApi
 */
export const authRoutesToExclude: { path: string; method: RequestMethod }[] = [
  { path: '.well-known/jwks.json', method: RequestMethod.GET },
];
