import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { COOKIE_MODE, TokenCookie } from '../authentication/token-source.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { type CookieResponse, setCookies } from '../platform/cookies.js';
import type { AuthRequest } from '../platform/request.js';
import type { LoginResult } from '../sessions/login-context.js';
import { isRefreshToken } from '../sessions/refresh-token.js';
import type { ResolvedCookies } from './cookie-options.js';

/** The longest name and value together, in bytes. Browsers silently drop a longer cookie (ASVS 5.0 3.3.5). */
const LONGEST = 4_096;

/**
 * Sets and clears the cookies with the tokens. Use it if your application has its own login route, for
 * example for OpenID Connect. Call `sessions.login(…, { delivery: 'cookie' })` there.
 *
 * Both cookies expire with the refresh token, or when the browser closes if the login is not persistent.
 * The cookie of the access token outlives the token on purpose: the guard then answers `token_expired` to a
 * client that should refresh, and `token_missing` to one that should log in.
 *
 * After a `clear()`, `set()` does nothing for the same response, so a logout cannot be undone by accident.
 *
 * @example
 * ```ts
 * this.cookies.set(response, login); // Express' response or Fastify's reply
 * ```
 * @publicApi
 */
@Injectable()
export class AuthCookies implements OnModuleInit {
  /** Whether the option `http.cookies` is on. If it is off, all methods here do nothing. */
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
   * Sets the cookies with the tokens of a login or a refresh.
   *
   * A result without a refresh token leaves the cookie of the refresh token alone, because another tab may
   * have received a newer one. The cookie of the access token then expires after `refreshExpiresIn` if that
   * is known, otherwise with its token.
   *
   * @throws AuthWiringError if the access token is too long for a cookie (4,096 bytes with the name).
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
    // Without Max-Age, the browser deletes the cookie when it closes.
    const age = login.persistent === false ? undefined : refreshExpiresIn;
    const lines = [this.line(accessName, accessToken, age, '/')];
    if (refreshToken !== undefined) {
      lines.push(this.line(refreshName, refreshToken, age, refreshPath));
    }
    setCookies(response, [...lines, ...this.formerLines()]);
  }

  /**
   * Deletes the cookies, and those of the option `former`, and sends `Clear-Site-Data` if `clearSiteData` is
   * set. Browsers delete a cookie only if the path and the domain are the same as when it was set.
   */
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
   * Returns the refresh token in the request's cookie.
   *
   * @throws AuthException 400 `invalid_request` for two such cookies, 403 `csrf_refused` if a page of another
   * origin sent the request.
   */
  refreshToken(request: AuthRequest): string | undefined {
    const token = this.refreshCookie?.read(request);
    if (token !== undefined) this.refuseOtherOrigins(request);
    return token;
  }

  /**
   * Returns every refresh token in the request's cookies, for a logout. Two cookies of one name are allowed:
   * a sibling subdomain may have planted one, and that must not prevent the logout.
   *
   * @throws AuthException 403 `csrf_refused` if a page of another origin sent the request.
   */
  refreshTokens(request: AuthRequest): string[] {
    return this.refreshCookie?.readAll(request) ?? [];
  }

  /**
   * Refuses a request that a page of another origin sent. Call it before you set or clear cookies: otherwise
   * such a page could log the user in to an account of the attacker (login CSRF), or log the user out.
   *
   * @throws AuthException 403 `csrf_refused`.
   */
  refuseOtherOrigins(request: AuthRequest): void {
    this.refreshCookie?.refuseOtherOrigins(request);
  }

  /** A `Set-Cookie` line that deletes each cookie of the option `former`. */
  private formerLines(): string[] {
    const former = this.options?.former ?? [];
    return former.map(({ name, domain, path = '/' }) => this.line(name, '', 0, path, domain));
  }

  /** A `Set-Cookie` line. It is always HttpOnly: no script of a page can read a token. */
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
