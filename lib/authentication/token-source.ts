import { Inject, Injectable } from '@nestjs/common';
import { TOKEN_BINDING, type TokenBinding } from '../binding/token-binding.js';
import { badlySentToken, refusal } from '../errors/auth.exception.js';
import { MAX_TOKEN_LENGTH } from './jws.js';
import { cookieValues, mayActWithCookies } from '../platform/cookies.js';
import { assertHeaders, type AuthRequest } from '../platform/request.js';

/** The injection token of the {@link CookieMode}; `null` if tokens are sent in headers only. */
export const COOKIE_MODE = Symbol('nestjs-logout:cookie-mode');

const TWO_TOKENS = 'The request has an access token in the header and in a cookie.';

/** How tokens are read from cookies. */
export interface CookieMode {
  readonly accessName: string;
  /** Names that are read if that cookie is missing. They may contain access or refresh tokens. */
  readonly formerNames: readonly string[];
  /** Further origins whose pages may send requests with cookies. */
  readonly origins: ReadonlySet<string>;
}

/** One of the two cookies that contain tokens, under its name and its former names. */
export class TokenCookie {
  /**
   * @param isKind - Whether a value is a token of this kind, because a former name may have been
   * used for both.
   */
  constructor(
    private readonly name: string,
    private readonly mode: Pick<CookieMode, 'formerNames' | 'origins'>,
    private readonly isKind: (value: string) => boolean,
  ) {}

  /**
   * The token in the cookie. Call {@link refuseOtherOrigins} before you use it.
   *
   * @throws AuthException 400 if the cookie is there twice, 401 if it is too long.
   */
  read({ headers }: AuthRequest): string | undefined {
    const header = headers['cookie'];
    if (header === undefined) return undefined;
    const [value, second] = cookieValues(String(header), this.name);
    if (second !== undefined) throw badlySentToken('The request has the same cookie twice.');
    if (value === undefined) return this.former(String(header))[0];
    if (!fits(value)) throw refusal('token_malformed');
    return value;
  }

  /**
   * All tokens in the cookie, for a logout. There may be two with the same name, of which a sibling
   * subdomain has planted one. Logging out both is harmless, and refusing would prevent the logout.
   *
   * @throws AuthException 403 `csrf_refused` if a page of another site sent the request.
   */
  readAll(request: AuthRequest): string[] {
    const header = String(request.headers['cookie'] ?? '');
    const found = [...cookieValues(header, this.name).filter(fits), ...this.former(header)];
    if (found.length > 0) this.refuseOtherOrigins(request);
    return found;
  }

  /** @throws AuthException 403 `csrf_refused` if a page of another site sent the request. */
  refuseOtherOrigins(request: AuthRequest): void {
    if (!mayActWithCookies(request, this.mode.origins)) throw refusal('csrf_refused');
  }

  private former(header: string): string[] {
    const values = this.mode.formerNames.flatMap((name) => cookieValues(header, name));
    return values.filter((value) => fits(value) && this.isKind(value));
  }
}

function fits({ length }: string): boolean {
  return length <= MAX_TOKEN_LENGTH;
}

/**
 * Finds the access token of a request: in the header `Authorization`, or in its cookie if cookies
 * are on.
 */
@Injectable()
export class TokenSource {
  private readonly cookie: TokenCookie | undefined;
  private readonly readsDpopScheme: boolean;

  constructor(
    @Inject(COOKIE_MODE) mode: CookieMode | null,
    @Inject(TOKEN_BINDING) private readonly binding: TokenBinding | null,
  ) {
    this.readsDpopScheme = binding?.readsDpopScheme ?? false;
    // A refresh token has 43 characters and no dot. A JWT has dots, and an opaque access token is
    // longer.
    this.cookie =
      mode === null
        ? undefined
        : new TokenCookie(mode.accessName, mode, (value) => /\.|^.{44}/.test(value));
  }

  /**
   * All access tokens of a request without duplicates, for a logout.
   *
   * @throws AuthException 400 `invalid_request` if header and cookie contain different tokens, 401
   * `token_malformed` for a malformed header, 403 `csrf_refused`.
   */
  readAll(request: AuthRequest): string[] {
    const token = bearerToken(request, this.readsDpopScheme);
    const cookies = this.cookie?.readAll(request) ?? [];
    const found = [...new Set([...(token === undefined ? [] : [token]), ...cookies])];
    if (token !== undefined && found.length > 1) throw badlySentToken(TWO_TOKENS);
    return found;
  }

  /**
   * Finds the access token of a request.
   *
   * @returns `undefined` if there is none.
   * @throws AuthException 400 `invalid_request` for two tokens, 403 `csrf_refused` for a cookie in
   * a request from a page of another site, 401 `token_malformed`.
   * @throws AuthWiringError for a request without headers, because a valid token would be refused
   * as missing.
   */
  read(request: AuthRequest): string | undefined {
    assertHeaders(request);
    this.binding?.noteClient(request);
    const token = bearerToken(request, this.readsDpopScheme);
    const cookie = this.cookie?.read(request);
    if (cookie === undefined) return token;
    if (token !== undefined) throw badlySentToken(TWO_TOKENS);
    this.cookie?.refuseOtherOrigins(request);
    return cookie;
  }
}

const SCHEME = 'bearer';
const DPOP_SCHEME = 'dpop';
const SPACE = 0x20;
const TAB = 0x09;

/**
 * The token in `Authorization: Bearer …` (RFC 6750 section 2.1), or `undefined` if there is none or
 * another scheme.
 *
 * It compares single characters. The usual `(\S+)\s+(\S+)` takes quadratic time, and one header of
 * 16 KB would block the event loop for 130 ms.
 *
 * @param readsDpop - Whether to accept `Authorization: DPoP …` too (RFC 9449 section 7.1).
 * @throws AuthException 400 for two headers or a token in the query, 401 for an empty or too long
 * token.
 */
export function bearerToken(request: AuthRequest, readsDpop = false): string | undefined {
  refuseTokenInQuery(request);
  const header = request.headers['authorization'];
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || hasSecondHeader(request)) {
    throw badlySentToken('The request has more than one Authorization header.');
  }
  if (hasScheme(header, SCHEME)) return afterScheme(header, SCHEME.length);
  if (readsDpop && hasScheme(header, DPOP_SCHEME)) return afterScheme(header, DPOP_SCHEME.length);
  return undefined;
}

function afterScheme(header: string, end: number): string {
  const length = header.length - end - 1;
  if (length < 1 || length > MAX_TOKEN_LENGTH) throw refusal('token_malformed');
  // There must be exactly one space (RFC 6750 section 2.1). A second one would be part of the
  // token.
  const first = header.charCodeAt(end + 1);
  if (header.charCodeAt(end) !== SPACE || first === SPACE || first === TAB) {
    throw refusal('token_malformed');
  }
  return header.slice(end + 1);
}

function hasScheme(header: string, scheme: string): boolean {
  for (let index = 0; index < scheme.length; index += 1) {
    // Setting bit 5 converts ASCII letters to lower case, and converts no other character to one of
    // these.
    if ((header.charCodeAt(index) | 0x20) !== scheme.charCodeAt(index)) return false;
  }
  if (header.length === scheme.length) return true;
  const next = header.charCodeAt(scheme.length);
  return next === SPACE || next === TAB;
}

/**
 * Whether there are two Authorization headers. Node silently keeps the first one, but a proxy in
 * front may have checked the last one.
 */
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

/**
 * Refuses a token in the URL, because URLs are stored in logs and browser histories (RFC 6750
 * section 5.3). Express parses `query` at each access, so the URL is checked first.
 */
function refuseTokenInQuery(request: AuthRequest & { readonly url?: unknown }): void {
  const { url } = request;
  if (typeof url === 'string' && !url.includes('?')) return;
  const { query } = request;
  if (typeof query === 'object' && query !== null && Object.hasOwn(query, 'access_token')) {
    throw badlySentToken('Do not send an access token in the URL.');
  }
}
