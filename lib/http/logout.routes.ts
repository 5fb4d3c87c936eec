import { HttpCode, Post, Req, Res, UseGuards } from '@nestjs/common';
import { AuthException, refusal } from '../errors/auth.exception.js';
import { CurrentToken, Public } from '../authentication/decorators.js';
import { JwtAuthGuard } from '../authentication/jwt-auth.guard.js';
import { LogoutService } from '../logout/logout.service.js';
import type { TokenClaims } from '../options/token-claims.js';
import { AuthClock } from '../platform/auth-clock.js';
import type { CookieResponse } from '../platform/cookies.js';
import { AuthCookies } from './auth-cookies.service.js';
import { OwnRoutes } from './own-routes.js';
import { PresentedSessions } from './presented-sessions.service.js';
import { auditOf, type HttpRequest } from './request-body.js';

/** How often an account may ask for `logout-others` in {@link SPAN}, on each instance. */
const MOST_REPEATS = 30;

/** A minute (ms). */
const SPAN = 60_000;

/** `POST logout`, `logout-others` and `logout-all`; by POST only (ASVS 5.0 3.5.3). */
@OwnRoutes()
export class LogoutRoutes {
  private readonly repeats = new Map<string, { count: number; readonly until: number }>();

  constructor(
    private readonly logoutService: LogoutService,
    private readonly presented: PresentedSessions,
    private readonly cookies: AuthCookies,
    private readonly clock: AuthClock,
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
      // Foreign tokens are of no use to this browser either.
      if (error instanceof AuthException && error.getStatus() === 401) this.cookies.clear(response);
      throw error;
    }
    this.cookies.clear(response);
  }

  /** @throws AuthTooManyAttemptsException 429 beyond 30 in a minute; nothing is written. */
  @Post('logout-others')
  @HttpCode(204)
  @UseGuards(JwtAuthGuard)
  async logoutOthers(
    @Req() request: HttpRequest,
    @CurrentToken() token: TokenClaims,
  ): Promise<void> {
    this.refuseFlood(token);
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

  /**
   * Each `logout-others` writes an event, and the token that asks for it stays valid: without a limit one
   * client could fill the log. `logout-all` needs none, because it revokes the token that asks for it.
   */
  private refuseFlood({ iss, sub }: TokenClaims): void {
    const now = this.clock.monotonic();
    // All entries last equally long, so the oldest come first.
    for (const [key, { until }] of this.repeats) {
      if (until > now) break;
      this.repeats.delete(key);
    }
    const key = JSON.stringify([iss, sub]);
    const repeats = this.repeats.get(key) ?? { count: 0, until: now + SPAN };
    if (repeats.count >= MOST_REPEATS) {
      const retryAfter = (repeats.until - now) / 1000;
      throw refusal('too_many_attempts', { retryAfter });
    }
    repeats.count++;
    this.repeats.set(key, repeats);
  }
}
