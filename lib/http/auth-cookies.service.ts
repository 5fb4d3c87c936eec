import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { COOKIE_MODE, TokenCookie } from '../authentication/token-source.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { type CookieResponse, setCookies } from '../platform/cookies.js';
import type { AuthRequest } from '../platform/request.js';
import type { LoginResult } from '../sessions/login-context.js';
import { isRefreshToken } from '../sessions/refresh-token.js';
import type { ResolvedCookies } from './cookie-options.js';

/** The longest name and value together. Browsers silently drop longer cookies (ASVS 5.0 3.3.5). */
const LONGEST = 4_096;

/**
 * Sets and clears the cookies with the tokens, for an application with its own login route, such as one for
 * OpenID Connect. Call `sessions.login(…, { delivery: 'cookie' })` there.
 *
 * Both cookies expire with the refresh token, or with the browser if the login is not persistent. So the
 * guard answers `token_expired` to a client that should refresh, and `token_missing` to one that should
 * log in. Cookies that a logout cleared in a response are not set again in the same response.
 *
 * @example
 * ```ts
 * this.cookies.set(response, login); // Express' response or Fastify's reply
 * ```
 * @publicApi
 */
@Injectable()
export class AuthCookies implements OnModuleInit {
  /** Whether the option `cookies` is on. If it is not, the methods here do nothing. */
  readonly isOn: boolean;

  private readonly cleared = new WeakSet<CookieResponse>();
  private readonly refreshCookie: TokenCookie | undefined;

  constructor(@Inject(COOKIE_MODE) private readonly options: ResolvedCookies | null) {
    this.isOn = options !== null;
    if (options === null) return;
    this.refreshCookie = new TokenCookie(options.refreshName, options, isRefreshToken);
  }

  onModuleInit(): void {
    if (this.options?.secure !== false || process.env['NODE_ENV'] !== 'production') return;
    new Logger('AuthModule').warn(
      'http.cookies.secure is false in production: the tokens are sent unencrypted, and any host of the ' +
        'domain can replace them. Remove the option.',
    );
  }

  /**
   * Sets the cookies with the tokens of a login or a refresh. Without a refresh token its cookie is not
   * touched: there is none, or another tab has received a newer one. The access cookie then lasts for
   * `refreshExpiresIn` if that is known, else as long as its own token.
   *
   * @throws AuthWiringError for an access token that is too long for a cookie.
   */
  set(response: CookieResponse, login: LoginResult): void {
    if (this.options === null || this.cleared.has(response)) return;
    const { accessName, refreshName, refreshPath } = this.options;
    const { accessToken, expiresIn, refreshToken, refreshExpiresIn = expiresIn } = login;
    if (accessName.length + accessToken.length > LONGEST) {
      throw new AuthWiringError(
        `An access token of ${accessToken.length} characters does not fit into a cookie of ${LONGEST}.`,
        'Put fewer claims into the token: see the option claims, and the claims that verifyCredentials returns.',
      );
    }
    // Without an age the browser deletes the cookie when it closes.
    const age = login.persistent === false ? undefined : refreshExpiresIn;
    const lines = [this.line(accessName, accessToken, age, '/')];
    if (refreshToken !== undefined) {
      lines.push(this.line(refreshName, refreshToken, age, refreshPath));
    }
    setCookies(response, [...lines, ...this.formerLines()]);
  }

  /** Removes the cookies, including those of the option `former`, with the attributes with which they were set. */
  clear(response: CookieResponse): void {
    if (this.options === null) return;
    this.cleared.add(response);
    const { accessName, refreshName, refreshPath, clearSiteData } = this.options;
    setCookies(response, [
      this.line(accessName, '', 0, '/'),
      this.line(refreshName, '', 0, refreshPath),
      ...this.formerLines(),
    ]);
    if (clearSiteData !== undefined) response.header('Clear-Site-Data', clearSiteData);
  }

  /**
   * The refresh token that came in its cookie.
   *
   * @throws AuthException 400 for two of them, 403 `csrf_refused` where another site's page asked.
   */
  refreshToken(request: AuthRequest): string | undefined {
    const token = this.refreshCookie?.read(request);
    if (token !== undefined) this.refuseOtherOrigins(request);
    return token;
  }

  /**
   * Every refresh token that came in a cookie, for a logout: also two of one name, of which a sibling
   * subdomain may have planted one.
   *
   * @throws AuthException 403 `csrf_refused` where another site's page asked.
   */
  refreshTokens(request: AuthRequest): string[] {
    return this.refreshCookie?.readAll(request) ?? [];
  }

  /** Called before cookies are set: another site's page must not log a user in. */
  refuseOtherOrigins(request: AuthRequest): void {
    this.refreshCookie?.refuseOtherOrigins(request);
  }

  /** One line that deletes each cookie of the option `former`. */
  private formerLines(): string[] {
    const former = this.options?.former ?? [];
    return former.map(({ name, domain, path = '/' }) => this.line(name, '', 0, path, domain));
  }

  private line(
    name: string,
    value: string,
    maxAge: number | undefined,
    path: string,
    domain?: string,
  ): string {
    const { secure = true, sameSite = 'Strict' } = this.options ?? {};
    const age = maxAge === undefined ? '' : `; Max-Age=${maxAge}`;
    const host = domain === undefined ? '' : `; Domain=${domain}`;
    const tls = secure ? '; Secure' : '';
    return `${name}=${value}${age}${host}; Path=${path}; HttpOnly${tls}; SameSite=${sameSite}`;
  }
}
