import { HttpCode, Post, Req, Res, UseGuards } from '@nestjs/common';
import { AuthException } from '../errors/auth.exception.js';
import { CurrentToken, Public } from '../authentication/decorators.js';
import { JwtAuthGuard } from '../authentication/jwt-auth.guard.js';
import { LogoutService } from '../logout/logout.service.js';
import type { TokenClaims } from '../options/token-claims.js';
import type { CookieResponse } from '../platform/cookies.js';
import { AuthCookies } from './auth-cookies.service.js';
import { OwnRoutes } from './own-routes.js';
import { PresentedSessions } from './presented-sessions.service.js';
import { auditOf, type HttpRequest } from './request-body.js';

/** `POST logout`, `logout-others` and `logout-all`; by POST only (ASVS 5.0 3.5.3). */
@OwnRoutes()
export class LogoutRoutes {
  constructor(
    private readonly logoutService: LogoutService,
    private readonly presented: PresentedSessions,
    private readonly cookies: AuthCookies,
  ) {}

  /**
   * With an access token, expired or not, or a refresh token; it can be repeated. What could not be
   * stored is a 503 and keeps the cookies, so that it can be tried again.
   *
   * @throws AuthException 403 `csrf_refused`, before anything is cleared: SameSite keeps the cookies
   * out of another site's form, but not the answer's `Set-Cookie` out of the browser.
   */
  @Post('logout')
  @HttpCode(204)
  @Public()
  async logout(
    @Req() request: HttpRequest,
    @Res({ passthrough: true }) response: CookieResponse,
  ): Promise<void> {
    this.cookies.refuseOtherOrigins(request);
    try {
      await this.presented.end(request);
    } catch (error) {
      // Tokens that are none of ours are of no use to this browser either.
      if (error instanceof AuthException && error.getStatus() === 401) this.cookies.clear(response);
      throw error;
    }
    this.cookies.clear(response);
  }

  @Post('logout-others')
  @HttpCode(204)
  @UseGuards(JwtAuthGuard)
  async logoutOthers(
    @Req() request: HttpRequest,
    @CurrentToken() token: TokenClaims,
  ): Promise<void> {
    await this.logoutService.logoutOthers(token, auditOf(request));
  }

  @Post('logout-all')
  @HttpCode(204)
  @UseGuards(JwtAuthGuard)
  async logoutAll(
    @Req() request: HttpRequest,
    @CurrentToken() token: TokenClaims,
    @Res({ passthrough: true }) response: CookieResponse,
  ): Promise<void> {
    // The guard takes a token in the header from any page; the cookies cleared may be another's.
    this.cookies.refuseOtherOrigins(request);
    await this.logoutService.logoutAll(token.sub, { issuer: token.iss, ...auditOf(request) });
    this.cookies.clear(response);
  }
}
