import type { CookieMode } from '../authentication/token-source.js';
import {
  flag,
  list,
  oneOf,
  option,
  readOptions,
  text,
  wrong,
  wrongKind,
} from '../options/option-checks.js';

const SITE_DATA = ['storage', 'cache', 'cookies', 'clientHints', 'executionContexts'] as const;

/** A directive of the header `Clear-Site-Data` (W3C). @publicApi */
export type SiteData = (typeof SITE_DATA)[number];

/**
 * A cookie that an earlier version of the application set. It is read if the new cookie is absent, until its
 * token expires, and cleared at each login, refresh and logout. Remove the entry after `refreshTokenTtl`,
 * because other hosts of its `domain` can set the cookie.
 *
 * @publicApi
 */
export interface FormerCookie {
  /** The name of the cookie. */
  readonly name: string;
  /**
   * The attribute `Domain` of the cookie.
   *
   * @default none
   */
  readonly domain?: string | undefined;
  /**
   * The attribute `Path` of the cookie.
   *
   * @default '/'
   */
  readonly path?: string | undefined;
}

/**
 * The options of the cookies with the tokens. The defaults follow ASVS 5.0 3.3: `__Host-access` and
 * `__Host-refresh`, `HttpOnly; Secure; SameSite=Strict; Path=/`, without a domain.
 *
 * Both names start with `__Host-`, so that no sibling subdomain can set the cookies. Therefore they have
 * `Path=/`, and the refresh token is sent with every request to this host. A narrower path would not protect
 * the token, because a page of the same origin reaches every path. It would also have to match the global
 * prefix, the version and the rewrites of a proxy. If you need a narrower path, set `refreshPath`; the name is
 * then `__Secure-refresh`.
 *
 * @example
 * ```ts
 * const cookies: CookieOptions = { name: 'shop', origins: ['https://app.example.com'] };
 * ```
 * @publicApi
 */
export interface CookieOptions {
  /**
   * A name for this application's cookies: up to 64 letters, digits, `_` and `-`. With `'shop'` the cookies are
   * `__Host-shop-access` and `__Host-shop-refresh`. Use it if several applications share a host, because
   * ports and paths do not separate cookies.
   *
   * If users are logged in when you change the name, list the earlier names under `former`:
   * `{ name: '__Host-access' }` and `{ name: '__Host-refresh' }`.
   *
   * @default none: `__Host-access` and `__Host-refresh`
   */
  readonly name?: string | undefined;
  /**
   * `false` omits the attribute `Secure` and the prefix of the names, which are then `access` and `refresh`.
   * Use it only in development, for browsers that refuse secure cookies from http://localhost.
   *
   * @default true
   */
  readonly secure?: boolean | undefined;
  /**
   * With `'lax'` the cookies are also sent when a user follows a link from another site.
   *
   * @default 'strict'
   */
  readonly sameSite?: 'strict' | 'lax' | undefined;
  /**
   * A narrower `Path` for the refresh cookie: the path of the library's routes, as the browser sees it, such
   * as `'/api/auth'`.
   *
   * @default '/'
   */
  readonly refreshPath?: string | undefined;
  /**
   * Other origins whose pages may send requests with the cookies, each exactly as browsers send it:
   * `'https://app.example.com'`, `'tauri://localhost'`, `'capacitor://localhost'`,
   * `'chrome-extension://<id>'`. A wildcard stops the boot. Allow these origins in CORS too.
   *
   * @default []
   */
  readonly origins?: readonly string[] | undefined;
  /**
   * Earlier names, domains and paths of the cookies. Such cookies are still read, and cleared at each login,
   * refresh and logout.
   *
   * @default []
   */
  readonly former?: readonly FormerCookie[] | undefined;
  /**
   * Whether a logout also sends the header `Clear-Site-Data`. `true` sends `"storage"`; a list sends its
   * directives. `'cache'` takes seconds in Chromium, and `'cookies'` clears all cookies of the site.
   *
   * @default false
   */
  readonly clearSiteData?: boolean | readonly SiteData[] | undefined;
}

/** The checked value of the option `cookies`. */
export interface ResolvedCookies extends CookieMode {
  readonly refreshName: string;
  readonly refreshPath: string;
  readonly secure: boolean;
  readonly sameSite: 'Strict' | 'Lax';
  readonly former: readonly FormerCookie[];
  /** The value of the header `Clear-Site-Data`; `undefined`: the header is not sent. */
  readonly clearSiteData: string | undefined;
}

/** A cookie's path, without control characters and without `;`, which would start another attribute. */
const PATH = /^\/[!-:<-~]{0,254}$/;
/** A cookie's name (RFC 6265 section 4.1.1). */
const NAME = /^[!#$%&'*+.^_`|~A-Za-z0-9-]{1,128}$/;
const OWN_NAME = /^[A-Za-z0-9_-]{1,64}$/;
/** An origin with a scheme other than http and https, as browsers and WebViews send it. */
const CUSTOM_ORIGIN = /^(?!https?:)[a-z][a-z0-9+.-]*:\/\/[A-Za-z0-9._~-]+(?::\d{1,5})?$/;
const DOMAIN = /^\.?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/;

/** Every option of `http.cookies`, with its default and its check. The compiler reports a missing row. */
export const COOKIE_OPTIONS = {
  name: option(
    undefined,
    text(
      (name) => OWN_NAME.test(name) && !name.startsWith('__'),
      "Give up to 64 letters, digits, _ and -, such as 'shop'; the prefix __Host- is added.",
    ),
  ),
  secure: option(true, flag),
  sameSite: option('strict', oneOf('strict', 'lax')),
  refreshPath: option(
    '/',
    text((path) => PATH.test(path), "Give the path as the browser sees it, such as '/api/auth'."),
  ),
  origins: option([], list(exactOrigin, 'Give a list.')),
  former: option([], list(formerCookie, 'Give a list.')),
  clearSiteData: option(false, siteData),
} satisfies Record<keyof CookieOptions, unknown>;

/** Options of other cookie libraries, with what to write here instead. */
const FAMILIAR: ReadonlyMap<string, string> = new Map([
  ['httpOnly', 'It is always on.'],
  ['domain', 'There is none: a cookie for a whole domain can be set by every host below it.'],
  ['path', 'Use refreshPath, if it has to be.'],
  ['maxAge', 'It follows refreshTokenTtl.'],
]);

/** Checks the option `http.cookies`. `null`: it is off, and tokens are in bodies. */
export function cookies(given: unknown, path: string): ResolvedCookies | null {
  if (given === false) return null;
  const options = given === true ? {} : given;
  const values = readOptions(options, path, COOKIE_OPTIONS, FAMILIAR);
  const { secure, sameSite, former, clearSiteData, refreshPath = '/' } = values;
  const name = values.name === undefined ? '' : `${values.name}-`;
  const ownHost = secure ? '__Host-' : '';
  const ownPath = secure ? '__Secure-' : '';
  return Object.freeze({
    accessName: `${ownHost}${name}access`,
    refreshName: `${refreshPath === '/' ? ownHost : ownPath}${name}refresh`,
    formerNames: former.map((cookie) => cookie.name),
    refreshPath,
    secure,
    sameSite: sameSite === 'lax' ? 'Lax' : 'Strict',
    origins: new Set(values.origins),
    former,
    clearSiteData,
  });
}

function siteData(given: unknown, path: string): string | undefined {
  if (given === false) return undefined;
  const words: readonly unknown[] =
    given === true ? ['storage'] : Array.isArray(given) ? given : [];
  if (words.length > 0 && words.every((each) => SITE_DATA.includes(each as SiteData))) {
    return words.map((each) => `"${String(each)}"`).join(', ');
  }
  const known = SITE_DATA.map((each) => `'${each}'`).join(', ');
  throw wrong(path, given, `Use true, false, or a list of ${known}.`);
}

function exactOrigin(given: unknown, path: string): string {
  const isExact =
    typeof given === 'string' &&
    !given.includes('*') &&
    (CUSTOM_ORIGIN.test(given) || (URL.canParse(given) && new URL(given).origin === given));
  // Browsers send the origin `null` for sandboxed frames of any site.
  if (isExact && given !== 'null') return given;
  throw wrong(
    path,
    given,
    "Give scheme, host and port and nothing else, such as 'https://app.example.com' or " +
      "'tauri://localhost'. There are no wildcards: list each origin.",
  );
}

function formerCookie(given: unknown, path: string): FormerCookie {
  if (isFormerCookie(given)) return given;
  throw wrongKind(
    path,
    given,
    "Give { name, domain?, path? } as the cookie was set, such as { name: 'jwt', domain: 'example.com' }.",
  );
}

function isFormerCookie(given: unknown): given is FormerCookie {
  if (typeof given !== 'object' || given === null) return false;
  const { name, domain, path } = given as Partial<Record<keyof FormerCookie, unknown>>;
  return (
    typeof name === 'string' &&
    NAME.test(name) &&
    (domain === undefined || (typeof domain === 'string' && DOMAIN.test(domain))) &&
    (path === undefined || (typeof path === 'string' && PATH.test(path)))
  );
}
