import { HttpCode, Inject, Post, Req, UseGuards } from '@nestjs/common';
import { CurrentToken } from '../authentication/current-token.decorator.js';
import { JwtAuthGuard } from '../authentication/jwt-auth.guard.js';
import { Public } from '../authentication/public.decorator.js';
import { AuthException } from '../errors/auth.exception.js';
import { LogoutService } from '../logout/logout.service.js';
import type { TokenClaims } from '../revocation/token-claims.js';
import { NoStoreGuard } from './no-store.guard.js';
import { auditOf, badRequest, type HttpRequest, textOf } from './request-body.js';
import { RESOLVED_HTTP_OPTIONS, type ResolvedHttpOptions } from './resolved-http-options.js';
import { type Introspection, TokenIntrospector } from './token-introspector.js';

/** `POST revoke` (RFC 7009) and `POST introspect` (RFC 7662), with a form or JSON. */
@UseGuards(NoStoreGuard)
export class TokenRoutes {
  constructor(
    private readonly logoutService: LogoutService,
    private readonly introspector: TokenIntrospector,
    @Inject(RESOLVED_HTTP_OPTIONS) private readonly options: ResolvedHttpOptions,
  ) {}

  /**
   * Ends the session of an access or refresh token; who holds it needs no more. What it was before is
   * not told: 200 for unknown, expired and foreign tokens alike (RFC 7009 section 2.2). The token
   * itself tells its kind, so `token_type_hint` is not needed.
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

  /** @throws AuthException 403 `forbidden` unless `mayIntrospect` says yes to the caller's claims. */
  @Post('introspect')
  @HttpCode(200)
  @UseGuards(JwtAuthGuard)
  async introspect(
    @Req() request: HttpRequest,
    @CurrentToken() caller: TokenClaims,
  ): Promise<Introspection> {
    if ((await this.options.mayIntrospect(caller)) !== true) {
      throw new AuthException(403, 'forbidden', 'You may not introspect tokens.');
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
