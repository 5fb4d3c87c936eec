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

/** One session in the body of `GET sessions`. Times are in ISO 8601. @publicApi */
export interface SessionAnswer {
  /** The id of the session, for `DELETE sessions/:id`: the `sid` of its tokens. */
  readonly id: string;
  /** Whether it is the session of the request's own token. */
  readonly current: boolean;
  /** The kind of client that the login named, such as `web`. */
  readonly client: string | null;
  /** The grant that the login named; absent without one. */
  readonly grant?: string;
  /** The device that the login named. */
  readonly device: string | null;
  /** The network of the last login or refresh: `/24` of IPv4, `/48` of IPv6. */
  readonly ip: string | null;
  /** When the session started. */
  readonly created_at: string;
  /** When it logged in or last refreshed. */
  readonly last_seen_at: string;
  /** When it expires, however often it is refreshed. */
  readonly expires_at: string;
}

/** `GET sessions` and `DELETE sessions/:id`: an account sees and ends its own sessions. */
@UseGuards(LoginGuard)
@OwnRoutes()
export class SessionsRoutes {
  constructor(
    private readonly sessions: SessionService,
    private readonly logoutService: LogoutService,
    private readonly cookies: AuthCookies,
  ) {}

  /**
   * Returns a page of the account's sessions, the newest first: `?limit=` (1 to 100, default 50). If there
   * are more, the response has a `Link` header (RFC 8288) to the next page, with `?after=`.
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
      // A relative link: the client resolves it, so prefixes and proxies need not be known here.
      response.header('Link', `<?limit=${limit}&after=${page.next}>; rel="next"`);
    }
    return page.map((session) => sessionAnswer(session, token.sid));
  }

  /**
   * Ends one session of the account, usually on another device. An unknown id, an ended session and a session
   * of another account get the same 404, so that a caller cannot find out which ids exist.
   */
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
    // As in logout-all, because this response clears cookies.
    this.cookies.refuseOtherOrigins(request);
    await this.logoutService.logout(token, auditOf(request));
    this.cookies.clear(response);
  }
}

/**
 * Reads `limit` and `after` from the URL itself, because an application can configure another query parser.
 *
 * @throws AuthException 400 `invalid_request` if the limit is not 1 to 100, or if a parameter occurs twice.
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

/** @param currentId - The `sid` of the request's own token. */
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
