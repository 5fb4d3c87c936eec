import { Delete, Get, HttpCode, Param, Req, Res, UseGuards } from '@nestjs/common';
import { CurrentToken } from '../authentication/current-token.decorator.js';
import { JwtAuthGuard } from '../authentication/jwt-auth.guard.js';
import type { CookieResponse } from '../context/set-cookies.js';
import { AuthException } from '../errors/auth.exception.js';
import { LogoutService } from '../logout/logout.service.js';
import type { TokenClaims } from '../revocation/token-claims.js';
import { SessionService } from '../sessions/session.service.js';
import { AuthCookies } from './auth-cookies.service.js';
import { NoStoreGuard } from './no-store.guard.js';
import { auditOf, type HttpRequest } from './request-body.js';
import { pageOf } from './session-list-query.js';
import { type SessionAnswer, sessionAnswer } from './token-answer.js';

/** `GET sessions` and `DELETE sessions/:id`: an account's own logins. */
@UseGuards(NoStoreGuard, JwtAuthGuard)
export class SessionsRoutes {
  constructor(
    private readonly sessions: SessionService,
    private readonly logoutService: LogoutService,
    private readonly cookies: AuthCookies,
  ) {}

  /**
   * A page of the account's logins, the newest first: `?limit=` (1 to 100, default 50) and `?after=`,
   * which stands in the answer's `Link` (RFC 8288) while there are more.
   *
   * @throws AuthException 400 `invalid_request`.
   */
  @Get('sessions')
  async list(
    @Req() request: HttpRequest,
    @CurrentToken() token: TokenClaims,
    @Res({ passthrough: true }) response: CookieResponse,
  ): Promise<SessionAnswer[]> {
    const { limit, after } = pageOf(request);
    const page = await this.sessions.list(token.sub, { limit, after });
    if (page.next !== undefined) {
      // Relative to the address as the client knows it: prefixes and proxies need not be known here.
      response.header('Link', `<?limit=${limit}&after=${page.next}>; rel="next"`);
    }
    return page.map((session) => sessionAnswer(session, token.sid));
  }

  /** "Log out there". What is not in the list is not told apart: unknown, ended, or somebody else's. */
  @Delete('sessions/:id')
  @HttpCode(204)
  async end(
    @Req() request: HttpRequest,
    @Param('id') id: string,
    @CurrentToken() token: TokenClaims,
    @Res({ passthrough: true }) response: CookieResponse,
  ): Promise<void> {
    if (!(await this.sessions.isOpen(token.sub, id))) {
      throw new AuthException(404, 'not_found', 'There is no such session.');
    }
    if (id !== token.sid) {
      await this.logoutService.logoutSession(id, { issuer: token.iss, ...auditOf(request) });
      return;
    }
    // As for logout-all: this answer clears cookies.
    this.cookies.refuseOtherOrigins(request);
    await this.logoutService.logout(token, auditOf(request));
    this.cookies.clear(response);
  }
}
