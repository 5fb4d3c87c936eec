import type { AuthRequest } from './execution-context.js';

/** Methods that change nothing (RFC 9110 section 9.2.1). */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** What Express and Fastify say beside the headers; `host` follows their trusted-proxy settings. */
interface OriginRequest extends AuthRequest {
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
 * A request with neither comes from no browser of this decade, so nobody's cookies are abused by it.
 *
 * @param origins - Other origins that may act, such as `https://app.example.com`.
 */
export function mayActWithCookies(request: AuthRequest, origins: ReadonlySet<string>): boolean {
  const { method, headers } = request as OriginRequest;
  if (typeof method === 'string' && SAFE.has(method.toUpperCase())) return true;
  const { origin } = headers;
  if (typeof origin === 'string' && origins.has(origin)) return true;
  const site = headers['sec-fetch-site'];
  // "none": typed into the address bar, from a bookmark; no page had a hand in it.
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  return origin === undefined || (typeof origin === 'string' && isOwn(origin, hostOf(request)));
}

function hostOf({ host, ips, headers }: OriginRequest): string {
  const forwarded = headers['x-forwarded-host'];
  // Of the hosts that several proxies list, Express takes the first, which the browser named; Fastify
  // takes the last. It has `ips` only where it trusts a proxy.
  if (typeof forwarded === 'string' && Array.isArray(ips) && ips.length > 0) {
    const [first = '', ...others] = forwarded.split(',');
    if (others.at(-1)?.trim() === host) return first.trim();
  }
  const own = host ?? headers['host'];
  return typeof own === 'string' ? own : '';
}

/** By host and port: behind a proxy that ends TLS nobody here knows the scheme. */
function isOwn(origin: string, host: string): boolean {
  if (host === '' || !URL.canParse(origin)) return false;
  const theirs = new URL(origin);
  const ours = `${theirs.protocol}//${host}`;
  return URL.canParse(ours) && new URL(ours).host === theirs.host && theirs.host !== '';
}
