import { Inject, Injectable } from '@nestjs/common';
import { cookieValues } from '../context/cookie-header.js';
import { assertHeaders, type AuthRequest } from '../context/execution-context.js';
import { mayActWithCookies } from '../context/same-origin.js';
import { bearerToken, MAX_TOKEN_LENGTH } from './bearer-token.js';
import { csrfRefused, invalidRequest, tokenMalformed } from './refusals.js';

/** Injected with a {@link CookieMode}, or `null` where tokens are sent in headers only. */
export const COOKIE_MODE = Symbol('nestjs-logout:cookie-mode');

/** What has to be known to read tokens from cookies. */
export interface CookieMode {
  readonly accessName: string;
  /** Origins beside the request's own whose pages may act. */
  readonly origins: ReadonlySet<string>;
}

/** Finds the access token of a request: in the header, and in its cookie where cookies are on. */
@Injectable()
export class AccessTokenReader {
  constructor(@Inject(COOKIE_MODE) private readonly cookies: CookieMode | null) {}

  /**
   * @returns `undefined` where there is none.
   * @throws AuthException 400 `invalid_request` for two tokens, 403 `csrf_refused` for a cookie that
   * another site's page sent along, 401 `token_malformed`.
   * @throws AuthWiringError for a request without headers: a good token would be refused as missing.
   */
  read(request: AuthRequest): string | undefined {
    assertHeaders(request);
    const token = bearerToken(request);
    const header = this.cookies === null ? undefined : request.headers['cookie'];
    return header === undefined || this.cookies === null
      ? token
      : this.choose(request, token, String(header), this.cookies);
  }

  private choose(
    request: AuthRequest,
    token: string | undefined,
    header: string,
    { accessName, origins }: CookieMode,
  ): string | undefined {
    const cookie = singleCookie(header, accessName);
    if (cookie === undefined) return token;
    if (token !== undefined) {
      throw invalidRequest('The request has an access token in the header and in a cookie.');
    }
    if (!mayActWithCookies(request, origins)) throw csrfRefused();
    return cookie;
  }
}

/**
 * The value of a cookie that carries a token.
 *
 * @throws AuthException 400 where it stands there twice, 401 where it is over-long.
 */
export function singleCookie(header: string, name: string): string | undefined {
  const [value, second] = cookieValues(header, name);
  if (second !== undefined) throw invalidRequest('The request has the same cookie twice.');
  if (value !== undefined && value.length > MAX_TOKEN_LENGTH) throw tokenMalformed();
  return value;
}
