import type { AuthRequest } from './request.js';

const EQUALS = 0x3d;
const SPACE = 0x20;
const TAB = 0x09;

/**
 * The values of one cookie in a `Cookie` header, not decoded. Usually there is one. More than one
 * means that another host of the same site has set a cookie with the same name.
 *
 * It takes linear time and ignores all other cookies, so a client cannot make it slow or fill
 * memory with names of its choice.
 */
export function cookieValues(header: string, name: string): string[] {
  const values: string[] = [];
  for (let start = 0; start < header.length;) {
    const semicolon = header.indexOf(';', start);
    const end = semicolon < 0 ? header.length : semicolon;
    const from = afterBlanks(header, start, end);
    const equals = from + name.length;
    if (equals < end && header.charCodeAt(equals) === EQUALS && header.startsWith(name, from)) {
      const value = header.slice(equals + 1, beforeBlanks(header, equals + 1, end));
      if (value !== '') values.push(value);
    }
    start = end + 1;
  }
  return values;
}

function afterBlanks(text: string, start: number, end: number): number {
  let index = start;
  while (index < end && isBlank(text.charCodeAt(index))) index += 1;
  return index;
}

function beforeBlanks(text: string, start: number, end: number): number {
  let index = end;
  while (index > start && isBlank(text.charCodeAt(index - 1))) index -= 1;
  return index;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** The methods that the responses of Express and Fastify have in common. */
export interface CookieResponse {
  getHeader(name: string): unknown;
  removeHeader(name: string): unknown;
  header(name: string, value: string | string[]): unknown;
}

/**
 * Adds `Set-Cookie` headers to a response, and removes earlier ones with the same names. A browser
 * uses the last one, but not every proxy keeps their order.
 */
export function setCookies(response: CookieResponse, lines: readonly string[]): void {
  const names = new Set(lines.map(nameOf));
  const others = linesOf(response.getHeader('set-cookie')).filter(
    (line) => !names.has(nameOf(line)),
  );
  // Fastify appends to an existing header, Express replaces it. Removing it first makes both do the
  // same.
  response.removeHeader('set-cookie');
  response.header('Set-Cookie', [...others, ...lines]);
}

function linesOf(header: unknown): string[] {
  if (header === undefined || header === null) return [];
  return Array.isArray(header) ? header.map(String) : [String(header)];
}

function nameOf(line: string): string {
  return line.slice(0, Math.max(0, line.indexOf('='))).trim();
}

/** Methods that change nothing (RFC 9110 section 9.2.1). */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * The further properties of requests of Express and Fastify. `host` follows their trusted-proxy
 * settings.
 */
export interface OriginRequest extends AuthRequest {
  readonly method?: unknown;
  readonly host?: unknown;
  readonly ips?: unknown;
}

/**
 * Protects against cross-site request forgery: whether a request with cookies may act. It may if it
 * only reads, or if a page of our own sent it (ASVS 5.0 3.5.1). A page of another site can send the
 * same request, and the browser adds the cookies. But the browser also adds the headers that are
 * checked here, which no page can set.
 *
 * `Sec-Fetch-Site` decides if the browser sends it. Otherwise `Origin` is compared with the host of
 * the request. Every current browser sends one of them with such a request, so a request with
 * neither does not come from a browser, and cannot abuse a user's cookies.
 *
 * The upgrade to a WebSocket is a GET, but the socket can act, so it is checked too. Every browser
 * sends `Origin` with it. `Sec-Fetch-Site` is ignored there, because Mercurius merges what the
 * client sends over the socket into the headers.
 *
 * @param origins - Other trusted origins, such as `https://app.example.com`.
 */
export function mayActWithCookies(request: AuthRequest, origins: ReadonlySet<string>): boolean {
  const { method, headers } = request as OriginRequest;
  const isUpgrade = headers['upgrade'] !== undefined;
  if (typeof method === 'string' && SAFE.has(method.toUpperCase()) && !isUpgrade) return true;
  const { origin } = headers;
  if (typeof origin === 'string' && origins.has(origin)) return true;
  const site = isUpgrade ? undefined : headers['sec-fetch-site'];
  // "none": the user typed the address or opened a bookmark, so no page caused the request.
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  return (
    origin === undefined ||
    (typeof origin === 'string' && isOwn(origin, hostOf(request, isUpgrade)))
  );
}

/** The host and port that the client requested, by the framework's trusted-proxy setting. */
export function hostOf({ host, ips, headers }: OriginRequest, isUpgrade: boolean): string {
  // The forwarded host of a handshake is ignored, because Mercurius would take it from what the
  // client sends over the socket.
  const forwarded = isUpgrade ? undefined : headers['x-forwarded-host'];
  // If several proxies list hosts, Express uses the first one, which the browser sent. Fastify uses
  // the last one. It has `ips` only if it trusts a proxy.
  if (typeof forwarded === 'string' && Array.isArray(ips) && ips.length > 0) {
    const [first = '', ...others] = forwarded.split(',');
    if (others.at(-1)?.trim() === host) return first.trim();
  }
  const own = (isUpgrade ? undefined : host) ?? headers['host'];
  return typeof own === 'string' ? own : '';
}

/**
 * Whether an origin is our own, by host and port. The scheme is not compared, because it is unknown
 * behind a proxy that terminates TLS.
 */
function isOwn(origin: string, host: string): boolean {
  if (host === '' || !URL.canParse(origin)) return false;
  const theirs = new URL(origin);
  const ours = `${theirs.protocol}//${host}`;
  return URL.canParse(ours) && new URL(ours).host === theirs.host && theirs.host !== '';
}
