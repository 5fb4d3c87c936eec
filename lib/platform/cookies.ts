import type { AuthRequest } from './request.js';

const EQUALS = 0x3d;
const SPACE = 0x20;
const TAB = 0x09;

/**
 * The values of one cookie in a `Cookie` header, as they are: usually one. More than one means that
 * another host of the same site has set a cookie of that name too.
 *
 * Linear, and ignores every other cookie: nothing is decoded, and no name that the sender chose is
 * kept.
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

/** The part of an answer that Express and Fastify have in common. */
export interface CookieResponse {
  getHeader(name: string): unknown;
  removeHeader(name: string): unknown;
  header(name: string, value: string | string[]): unknown;
}

/**
 * Puts `Set-Cookie` lines into an answer, and removes earlier ones for the same names: a browser obeys
 * the last line, and not every proxy keeps their order.
 */
export function setCookies(response: CookieResponse, lines: readonly string[]): void {
  const names = new Set(lines.map(nameOf));
  const others = linesOf(response.getHeader('set-cookie')).filter(
    (line) => !names.has(nameOf(line)),
  );
  // Fastify adds to what is there, Express replaces it: so nothing is there.
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

/** What Express and Fastify say beside the headers; `host` follows their trusted-proxy settings. */
export interface OriginRequest extends AuthRequest {
  readonly method?: unknown;
  readonly host?: unknown;
  readonly ips?: unknown;
}

/**
 * Whether a request with cookies may act: it reads only, or a page of our own sent it (ASVS 5.0
 * 3.5.1). Another site's page can send it too, and the browser adds the cookies; but it also adds
 * these headers, which no page can write.
 *
 * `Sec-Fetch-Site` decides where a browser sends it; else `Origin`, compared with the request's host.
 * A request with neither comes from no browser of this decade, so it abuses no one's cookies.
 *
 * The upgrade to a WebSocket is a GET, but what it opens can act. Every browser sends `Origin` with it.
 * `Sec-Fetch-Site` is not read there: Mercurius adds what the client sends over the socket to the headers
 * that the browser did not send.
 *
 * @param origins - Other origins that may act, such as `https://app.example.com`.
 */
export function mayActWithCookies(request: AuthRequest, origins: ReadonlySet<string>): boolean {
  const { method, headers } = request as OriginRequest;
  const isUpgrade = headers['upgrade'] !== undefined;
  if (typeof method === 'string' && SAFE.has(method.toUpperCase()) && !isUpgrade) return true;
  const { origin } = headers;
  if (typeof origin === 'string' && origins.has(origin)) return true;
  const site = isUpgrade ? undefined : headers['sec-fetch-site'];
  // "none": typed into the address bar, from a bookmark; no page had a hand in it.
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  return (
    origin === undefined ||
    (typeof origin === 'string' && isOwn(origin, hostOf(request, isUpgrade)))
  );
}

/** The host and port that the client named, by the framework's trusted-proxy setting. */
export function hostOf({ host, ips, headers }: OriginRequest, isUpgrade: boolean): string {
  // A handshake has no forwarded host: Mercurius would take it, too, from what the client sends.
  const forwarded = isUpgrade ? undefined : headers['x-forwarded-host'];
  // Of the hosts that several proxies list, Express takes the first, which the browser named; Fastify
  // takes the last. It has `ips` only where it trusts a proxy.
  if (typeof forwarded === 'string' && Array.isArray(ips) && ips.length > 0) {
    const [first = '', ...others] = forwarded.split(',');
    if (others.at(-1)?.trim() === host) return first.trim();
  }
  const own = (isUpgrade ? undefined : host) ?? headers['host'];
  return typeof own === 'string' ? own : '';
}

/** By host and port: behind a proxy that terminates TLS the scheme is not known. */
function isOwn(origin: string, host: string): boolean {
  if (host === '' || !URL.canParse(origin)) return false;
  const theirs = new URL(origin);
  const ours = `${theirs.protocol}//${host}`;
  return URL.canParse(ours) && new URL(ours).host === theirs.host && theirs.host !== '';
}
