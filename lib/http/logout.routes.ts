import { HttpCode, Inject, Post, Req, Res, UseGuards } from '@nestjs/common';
import { AuthException, refusal } from '../errors/auth.exception.js';
import { CurrentToken, Public } from '../authentication/decorators.js';
import { LoginGuard } from '../authentication/access-token.guard.js';
import { TokenSource } from '../authentication/token-source.js';
import { TokenService } from '../authentication/token.service.js';
import type { SessionRow } from '../database/session.statements.js';
import { LogoutService } from '../logout/logout.service.js';
import type { TokenClaims } from '../options/token-claims.js';
import { AuthClock } from '../platform/auth-clock.js';
import type { CookieResponse } from '../platform/cookies.js';
import { assertRecentLogin } from '../revocation/recent-login.js';
import { RevocationService } from '../revocation/revocation.service.js';
import { RefreshTokenLookup } from '../sessions/refresh-token-lookup.service.js';
import { AuthCookies } from './auth-cookies.service.js';
import { RESOLVED_HTTP_OPTIONS, type ResolvedHttpOptions } from './http-options.js';
import { auditOf, type HttpRequest, textOf, OwnRoutes } from './own-routes.js';

/** How often an account may ask for `logout-others` in {@link SPAN}, on each instance. */
const MOST_REPEATS = 30;

/** A minute (ms). */
const SPAN = 60_000;

/**
 * How many refresh tokens with a foreign check value are looked up for one request. A browser sends none,
 * or one of a former key. A header has room for 200, which would fill the queue that all clients share.
 */
const MOST_STRANGERS = 20;

/** `POST logout`, `logout-others` and `logout-all`; by POST only (ASVS 5.0 3.5.3). */
@OwnRoutes()
export class LogoutRoutes {
  private readonly repeats = new Map<string, { count: number; readonly until: number }>();

  constructor(
    private readonly source: TokenSource,
    private readonly tokens: TokenService,
    private readonly refreshTokens: RefreshTokenLookup,
    private readonly logoutService: LogoutService,
    private readonly cookies: AuthCookies,
    private readonly clock: AuthClock,
    private readonly revocation: RevocationService,
    @Inject(RESOLVED_HTTP_OPTIONS) private readonly options: ResolvedHttpOptions,
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
    if (!this.cookies.isOn) return this.endPresented(request);
    this.cookies.refuseOtherOrigins(request);
    try {
      await this.endPresented(request);
    } catch (error) {
      // Foreign tokens are of no use to this browser either.
      if (error instanceof AuthException && error.getStatus() === 401) this.cookies.clear(response);
      throw error;
    }
    this.cookies.clear(response);
  }

  /**
   * @throws AuthUnauthorizedException `login_too_old` by the option `recentLogin`.
   * @throws AuthTooManyAttemptsException 429 beyond 30 in a minute; nothing is written.
   */
  @Post('logout-others')
  @HttpCode(204)
  @UseGuards(LoginGuard)
  async logoutOthers(
    @Req() request: HttpRequest,
    @CurrentToken() token: TokenClaims,
  ): Promise<void> {
    // Not by a decorator: the class is shared by applications whose options differ.
    const { recentLogin } = this.options;
    if (recentLogin !== undefined) assertRecentLogin(token, recentLogin, this.revocation.now());
    this.refuseFlood(token);
    await this.logoutService.logoutOthers(token, auditOf(request));
  }

  @Post('logout-all')
  @HttpCode(204)
  @UseGuards(LoginGuard)
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
   * Ends the session of every valid token that the request holds: usually one, of which a browser sends
   * both tokens. Two cookies of one name are two tokens: a sibling subdomain that plants one does
   * not prevent a logout. Of refresh tokens without a right check value at most 20 are looked up.
   *
   * An invalid token does not prevent the logout of a valid one, nor does one that cannot be looked up
   * now. Different access tokens in header and cookie are refused (400), and nothing ends.
   *
   * @throws AuthException why none could be ended, or why one that is valid could not.
   */
  private async endPresented(request: HttpRequest): Promise<void> {
    const audit = auditOf(request);
    const ended = new Set<string>();
    const refusals: unknown[] = []; // Of tokens that are not good.
    const failures: unknown[] = []; // Of ends: whatever went wrong there, the client has to know.
    const accessTokens = this.accessTokensOf(request, refusals);
    const refreshTokens = this.refreshTokensOf(request);
    for (const text of accessTokens) {
      const claims = await attempt(refusals, () =>
        this.tokens.verify(text, { allowExpired: true }),
      );
      if (claims === undefined) continue;
      await attempt(failures, async () => {
        await this.logoutService.logout(claims, audit);
        ended.add(claims.sid ?? '');
      });
    }
    // Looked up together, which is one statement; ended one after the other, each session once.
    const lookups = await Promise.allSettled(refreshTokens.map((text) => this.sessionOf(text)));
    for (const [index, lookup] of lookups.entries()) {
      if (lookup.status === 'rejected') {
        refusals.push(lookup.reason);
        continue;
      }
      const { sid } = lookup.value;
      await attempt(failures, async () => {
        if (!ended.has(sid)) {
          await this.logoutService.logoutSession(sid, { reason: 'logout', ...audit });
          ended.add(sid);
        }
        await this.refreshTokens.usedInLogout(refreshTokens[index] as string);
      });
    }
    const failure = failures[0] ?? refusals.find((error) => !isRefusal(error));
    if (failure !== undefined) throw failure;
    if (ended.size === 0) throw refusals[0] ?? refusal('token_missing');
  }

  /** A header that holds no token is one more bad token; anything else that is wrong is thrown. */
  private accessTokensOf(request: HttpRequest, errors: unknown[]): string[] {
    try {
      return this.source.readAll(request);
    } catch (error) {
      if (!(error instanceof AuthException) || error.getStatus() !== 401) throw error;
      errors.push(error);
      return [];
    }
  }

  private refreshTokensOf(request: HttpRequest): string[] {
    const inBody = textOf(request, 'refresh_token');
    const inCookies = this.cookies.isOn ? this.cookies.refreshTokens(request) : [];
    const all = new Set(inBody === undefined ? inCookies : [inBody, ...inCookies]);
    return all.size === 0 ? [] : this.refreshTokens.worthLookingUp([...all], MOST_STRANGERS);
  }

  private async sessionOf(refreshToken: string): Promise<SessionRow> {
    const session = await this.refreshTokens.find(refreshToken);
    if (session === undefined) throw refusal('refresh_token_invalid');
    return session;
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

/** What an act gives; `undefined` if it failed, and its error goes into the list. */
async function attempt<T>(errors: unknown[], act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    errors.push(error);
    return undefined;
  }
}

/** Whether the token is refused. Any other error (503, a wiring error) says nothing about the token. */
function isRefusal(error: unknown): boolean {
  return error instanceof AuthException && error.getStatus() < 500;
}
