import { Delete, Get, HttpCode, Param, Req, Res, UseGuards } from '@nestjs/common';
import { refusal } from '../errors/auth.exception.js';
import { CurrentToken } from '../authentication/decorators.js';
import { LoginGuard } from '../authentication/access-token.guard.js';
import { LogoutService } from '../logout/logout.service.js';
import type { TokenClaims } from '../options/token-claims.js';
import type { CookieResponse } from '../platform/cookies.js';
import type { SessionInfo } from '../sessions/session-list.js';
import { SessionService } from '../sessions/session.service.js';
import { AuthCookies } from './auth-cookies.service.js';
import { auditOf, badRequest, type HttpRequest, OwnRoutes } from './own-routes.js';

const DEFAULT_LIMIT = 50;
const LARGEST_LIMIT = 100;

/** One login in the list of an account's own. */
export interface SessionAnswer {
  readonly id: string;
  /** Whether the request itself belongs to it. */
  readonly current: boolean;
  readonly client: string | null;
  /** What the login was granted for; only where it named a grant. */
  readonly grant?: string;
  readonly device: string | null;
  readonly ip: string | null;
  readonly created_at: string;
  readonly last_seen_at: string;
  readonly expires_at: string;
}

/** `GET sessions` and `DELETE sessions/:id`: an account's own logins. */
@UseGuards(LoginGuard)
@OwnRoutes()
export class SessionsRoutes {
  constructor(
    private readonly sessions: SessionService,
    private readonly logoutService: LogoutService,
    private readonly cookies: AuthCookies,
  ) {}

  /**
   * A page of the account's logins, the newest first: `?limit=` (1 to 100, default 50) and `?after=`,
   * which is in the answer's `Link` (RFC 8288) while there are more.
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

  /** Logs out another device. The answer is the same 404 for an unknown, an ended and another account's id. */
  @Delete('sessions/:id')
  @HttpCode(204)
  async end(
    @Req() request: HttpRequest,
    @Param('id') id: string,
    @CurrentToken() token: TokenClaims,
    @Res({ passthrough: true }) response: CookieResponse,
  ): Promise<void> {
    if (!(await this.sessions.isOpen(token.sub, id))) {
      throw refusal('not_found');
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

/**
 * What a request for a page of sessions asks for. Read from the address itself, so that a query parser
 * of the application changes nothing.
 *
 * @throws AuthException 400 `invalid_request` for a limit that is not 1 to 100, and for a parameter that
 * occurs twice.
 */
function pageOf({ url }: HttpRequest): {
  readonly limit: number;
  readonly after: string | undefined;
} {
  const parameters = new URLSearchParams(url?.split('?').slice(1).join('?'));
  const limit = single(parameters, 'limit') ?? String(DEFAULT_LIMIT);
  if (!/^[1-9]\d{0,2}$/.test(limit) || Number(limit) > LARGEST_LIMIT) {
    throw badRequest(`limit is not a whole number from 1 to ${LARGEST_LIMIT}.`);
  }
  return { limit: Number(limit), after: single(parameters, 'after') };
}

function single(parameters: URLSearchParams, name: string): string | undefined {
  const [value, second] = parameters.getAll(name);
  if (second !== undefined) throw badRequest(`The query has ${name} twice.`);
  return value;
}

/** @param currentId - The session of the request's own token. */
function sessionAnswer(session: SessionInfo, currentId: string | undefined): SessionAnswer {
  const { id, client, grant, device, ip, createdAt, lastSeenAt, expiresAt } = session;
  return {
    id,
    current: id === currentId,
    client,
    ...(grant === null ? {} : { grant }),
    device,
    ip,
    created_at: createdAt.toISOString(),
    last_seen_at: lastSeenAt.toISOString(),
    expires_at: expiresAt.toISOString(),
  };
}
