import { Inject, Injectable } from '@nestjs/common';
import { badlySentToken, refusal } from '../errors/auth.exception.js';
import { MAX_TOKEN_LENGTH } from './token-text.js';
import { cookieValues, mayActWithCookies } from '../platform/cookies.js';
import { assertHeaders, type AuthRequest } from '../platform/request.js';

/** Injected with a {@link CookieMode}, or `null` where tokens are sent in headers only. */
export const COOKIE_MODE = Symbol('nestjs-logout:cookie-mode');

const TWO_TOKENS = 'The request has an access token in the header and in a cookie.';

/** How tokens are read from cookies. */
export interface CookieMode {
  readonly accessName: string;
  /** Names that are read where that one is absent; cookies of both kinds. */
  readonly formerNames: readonly string[];
  /** Origins beside the request's own whose pages may act. */
  readonly origins: ReadonlySet<string>;
}

/** Finds the access token of a request: in the header, and in its cookie where cookies are on. */
@Injectable()
export class TokenSource {
  constructor(@Inject(COOKIE_MODE) private readonly cookies: CookieMode | null) {}

  /**
   * Every access token of a request, each once, for a logout: also when a cookie is sent twice,
   * because a sibling subdomain set one.
   *
   * @throws AuthException 400 `invalid_request` where header and cookie hold different ones, 401
   * `token_malformed` for a header that is none, 403 `csrf_refused`.
   */
  readAll(request: AuthRequest): string[] {
    const token = bearerToken(request);
    const cookies = this.cookies === null ? [] : this.accessCookies(request, this.cookies);
    const found = [...new Set([...(token === undefined ? [] : [token]), ...cookies])];
    if (token !== undefined && found.length > 1) throw badlySentToken(TWO_TOKENS);
    return found;
  }

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
    { accessName, formerNames, origins }: CookieMode,
  ): string | undefined {
    const cookie = singleCookie(header, accessName) ?? formerCookie(header, formerNames, isJwtLike);
    if (cookie === undefined) return token;
    if (token !== undefined) {
      throw badlySentToken(TWO_TOKENS);
    }
    if (!mayActWithCookies(request, origins)) throw refusal('csrf_refused');
    return cookie;
  }

  private accessCookies(
    request: AuthRequest,
    { accessName, formerNames, origins }: CookieMode,
  ): string[] {
    const header = String(request.headers['cookie'] ?? '');
    const found = allCookies(header, accessName, formerNames, isJwtLike);
    if (found.length > 0 && !mayActWithCookies(request, origins)) throw refusal('csrf_refused');
    return found;
  }
}

/** The name of a former cookie does not say which kind its token is; a refresh token has no dot. */
function isJwtLike(value: string): boolean {
  return value.includes('.');
}

/** The first cookie of a former name that holds a token of this kind. */
export function formerCookie(
  header: string,
  names: readonly string[],
  isKind: (value: string) => boolean,
): string | undefined {
  return allCookies(header, '', names, isKind)[0];
}

/** The values of a cookie and of its former names; over-long ones are none. */
export function allCookies(
  header: string,
  name: string,
  formerNames: readonly string[],
  isKind: (value: string) => boolean,
): string[] {
  const own = name === '' ? [] : cookieValues(header, name);
  const former = formerNames.flatMap((each) => cookieValues(header, each)).filter(isKind);
  return [...own, ...former].filter(({ length }) => length <= MAX_TOKEN_LENGTH);
}

/**
 * The value of a cookie that carries a token.
 *
 * @throws AuthException 400 where it is there twice, 401 where it is over-long.
 */
export function singleCookie(header: string, name: string): string | undefined {
  const [value, second] = cookieValues(header, name);
  if (second !== undefined) throw badlySentToken('The request has the same cookie twice.');
  if (value !== undefined && value.length > MAX_TOKEN_LENGTH) throw refusal('token_malformed');
  return value;
}

const SCHEME = 'bearer';
const SPACE = 0x20;
const TAB = 0x09;

/**
 * The token in `Authorization: Bearer …`, or `undefined` where there is none or another scheme.
 *
 * Written as comparisons of single characters: the usual `(\S+)\s+(\S+)` is quadratic, and one header
 * of 16 KB stops the event loop for 130 ms.
 *
 * @throws AuthException 400 for two headers or a token in the query, 401 for an empty or over-long one.
 */
export function bearerToken(request: AuthRequest): string | undefined {
  refuseTokenInQuery(request);
  const header = request.headers['authorization'];
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || hasSecondHeader(request)) {
    throw badlySentToken('The request has more than one Authorization header.');
  }
  if (!hasBearerScheme(header)) return undefined;
  const length = header.length - SCHEME.length - 1;
  if (length < 1 || length > MAX_TOKEN_LENGTH) throw refusal('token_malformed');
  // Exactly one space (RFC 6750 section 2.1); a second one would be the token's first character.
  const first = header.charCodeAt(SCHEME.length + 1);
  if (header.charCodeAt(SCHEME.length) !== SPACE || first === SPACE || first === TAB) {
    throw refusal('token_malformed');
  }
  return header.slice(SCHEME.length + 1);
}

function hasBearerScheme(header: string): boolean {
  for (let index = 0; index < SCHEME.length; index += 1) {
    // Setting bit 5 lowers ASCII letters, and makes no other character into one of these six.
    if ((header.charCodeAt(index) | 0x20) !== SCHEME.charCodeAt(index)) return false;
  }
  if (header.length === SCHEME.length) return true;
  const next = header.charCodeAt(SCHEME.length);
  return next === SPACE || next === TAB;
}

/** Node silently keeps the first of two Authorization headers; a proxy may keep the last. */
function hasSecondHeader(request: AuthRequest): boolean {
  const raw = request.rawHeaders ?? request.raw?.rawHeaders;
  if (raw === undefined) return false;
  let found = 0;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index];
    if (name?.length === 13 && name.toLowerCase() === 'authorization') found += 1;
  }
  return found > 1;
}

/** URLs end up in logs and browser histories. Express parses `query` at each access, so it is read last. */
function refuseTokenInQuery(request: AuthRequest & { readonly url?: unknown }): void {
  const { url } = request;
  if (typeof url === 'string' && !url.includes('?')) return;
  const { query } = request;
  if (typeof query === 'object' && query !== null && Object.hasOwn(query, 'access_token')) {
    throw badlySentToken('Do not send an access token in the URL.');
  }
}
