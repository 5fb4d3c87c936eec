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

/** How often an account may call `logout-others` within {@link SPAN}, on each instance. */
const MOST_REPEATS = 30;

/** One minute (ms). */
const SPAN = 60_000;

/**
 * How many refresh tokens without a valid check value are looked up for one request. A browser usually sends
 * none, or one that a former key made. A header has room for 200, which would fill the queue of look-ups
 * that all clients share.
 */
const MOST_STRANGERS = 20;

/** `POST logout`, `logout-others` and `logout-all`. Only POST: a link must not log out (ASVS 5.0 3.5.3). */
@OwnRoutes()
export class LogoutRoutes {
  /** Calls of `logout-others` by account. */
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
   * Takes an access token, even an expired one, or a refresh token. A client can repeat it. If the logout
   * could not be stored, the answer is 503 and the cookies stay, so that the client can try again.
   *
   * @throws AuthException 403 `csrf_refused`, before any cookie is cleared. SameSite keeps the cookies out of
   * a form of another site, but the browser would still apply the `Set-Cookie` of the response.
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
      // The token is not ours or not valid, so the browser does not need its cookies any more.
      if (error instanceof AuthException && error.getStatus() === 401) this.cookies.clear(response);
      throw error;
    }
    this.cookies.clear(response);
  }

  /**
   * Ends all sessions of the account except the caller's own.
   *
   * @throws AuthUnauthorizedException 401 `login_too_old`, see the option `http.recentLogin`.
   * @throws AuthTooManyAttemptsException 429 after 30 calls in a minute. Nothing is written.
   */
  @Post('logout-others')
  @HttpCode(204)
  @UseGuards(LoginGuard)
  async logoutOthers(
    @Req() request: HttpRequest,
    @CurrentToken() token: TokenClaims,
  ): Promise<void> {
    // Not with @RecentLogin(): all applications of a process share this class, and their options differ.
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
    // The guard accepts a token in the header from a page of any origin, but this response also clears the
    // cookies, which may belong to another login.
    this.cookies.refuseOtherOrigins(request);
    await this.logoutService.logoutAll(token.sub, { issuer: token.iss, ...auditOf(request) });
    this.cookies.clear(response);
  }

  /**
   * Ends the session of every valid token in the request. Usually these are the access token and the refresh
   * token of one session. There can be two cookies of one name: if a sibling subdomain has planted one, that
   * must not prevent the logout.
   *
   * An invalid token does not prevent the logout of a valid one, and neither does a token that cannot be
   * looked up now. Different access tokens in header and cookie are refused with 400, and nothing is ended.
   *
   * @throws AuthException if no session could be ended, or if the session of a valid token could not.
   */
  private async endPresented(request: HttpRequest): Promise<void> {
    const audit = auditOf(request);
    const ended = new Set<string>();
    const refusals: unknown[] = []; // Tokens that are not valid.
    const failures: unknown[] = []; // Logouts of valid tokens that failed: the client must be informed.
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
    // All look-ups together are one statement. Then the sessions are ended one by one, each only once.
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

  /** A malformed header (401) counts as one more invalid token. Any other error is thrown. */
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
   * Each `logout-others` writes an event, and the caller's token stays valid. Without a limit one client
   * could fill the log. `logout-all` needs no limit, because it revokes the caller's token.
   */
  private refuseFlood({ iss, sub }: TokenClaims): void {
    const now = this.clock.monotonic();
    // All entries expire after the same time, and a Map keeps the order of insertion: the oldest is first.
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

/** Returns the result of `act`. If it fails, adds the error to the list and returns `undefined`. */
async function attempt<T>(errors: unknown[], act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    errors.push(error);
    return undefined;
  }
}

/** Whether the error means that the token is not valid. A 503 or a wiring error says nothing about it. */
function isRefusal(error: unknown): boolean {
  return error instanceof AuthException && error.getStatus() < 500;
}
