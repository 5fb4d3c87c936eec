import { addressOf } from '../platform/client-address.js';
import { hostOf } from '../platform/cookies.js';
import type { AuthRequest } from '../platform/request.js';

/**
 * The request with a DPoP proof: a request of Express or Fastify, or an object with these members.
 *
 * The proof must be for the URL of the request. Its scheme and host come from the framework, which takes
 * forwarded headers from trusted proxies only (`trust proxy`).
 *
 * @publicApi
 */
export interface DpopRequest {
  /** The headers, with lower-case names. `dpop` has the proof. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The HTTP method; without one, `GET`. */
  readonly method?: unknown;
  /** The path and query as they were sent. */
  readonly url?: unknown;
  /** On Express, the whole path: `url` lacks the part that a router has matched. */
  readonly originalUrl?: unknown;
  /** `http` or `https`. */
  readonly protocol?: unknown;
  /** The host, with the port if there is one. */
  readonly host?: unknown;
}

/** The request that opened a connection: a request of Node, or a handshake of socket.io. */
interface Opening extends DpopRequest {
  readonly ip?: unknown;
  readonly address?: unknown;
  readonly secure?: unknown;
  readonly socket?: { readonly remoteAddress?: unknown; readonly encrypted?: unknown };
}

/** The request that has the proof and the address. For a message of a socket, it is the handshake. */
export function openingOf(request: AuthRequest | DpopRequest): Opening {
  const { opened } = request as { readonly opened?: Opening };
  return opened ?? (request as Opening);
}

/**
 * The address of the client; `undefined` if there is none. For an HTTP request it is the framework's `ip`,
 * which follows `trust proxy`. Headers are not read, because a client can send any `X-Forwarded-For`.
 */
export function clientAddressOf(request: AuthRequest): string | undefined {
  const opening = openingOf(request);
  const given =
    opening === (request as unknown)
      ? [opening.ip]
      : [opening.ip, opening.address, opening.socket?.remoteAddress];
  const ip = given.find((each) => typeof each === 'string');
  return ip === undefined || addressOf(ip) === null ? undefined : ip;
}

/** Whether the token was sent as `Authorization: DPoP …`. */
export function hasDpopScheme({ headers }: DpopRequest): boolean {
  const header = headers['authorization'];
  return typeof header === 'string' && /^dpop(?:[ \t]|$)/i.test(header);
}

/** The absolute URL of a request without its query; `undefined` if the URL is not known. */
export function requestUrlOf(request: DpopRequest): string | undefined {
  const { originalUrl, url, protocol, secure, socket, headers } = request as Opening;
  const sent = originalUrl ?? url;
  if (typeof sent !== 'string') return undefined;
  const isUpgrade = headers['upgrade'] !== undefined;
  const isTls = secure === true || socket?.encrypted === true;
  const scheme = typeof protocol === 'string' ? protocol : isTls ? 'https' : 'http';
  const host = hostOf(request as AuthRequest, isUpgrade);
  // With such a character, the sender of the header could make part of the host look like a path.
  if (host === '' || /[/?#\\@\s]/.test(host)) return undefined;
  return plainUrlOf(`${scheme}://${host}${pathOf(sent)}`);
}

/**
 * The path of the request target. The host in an absolute target is ignored, because the client chooses it.
 */
function pathOf(sent: string): string {
  if (sent.startsWith('/')) return sent;
  return URL.canParse(sent) ? new URL(sent).pathname : `/${sent}`;
}

/**
 * Normalizes a URL (RFC 3986 section 6.2.2), without query and fragment, for the comparison with `htu` (RFC
 * 9449 section 4.3). `ws:` becomes `http:`, because an HTTP request opens a WebSocket. `undefined` for text
 * that is not an HTTP URL.
 */
export function plainUrlOf(url: string): string | undefined {
  const text = url.replace(/^ws(?=s?:)/i, 'http');
  if (!/^https?:/i.test(text) || !URL.canParse(text)) return undefined;
  const { origin, pathname } = new URL(text);
  return origin + pathname.replaceAll(/%[0-9a-f]{2}/gi, spelling);
}

/** Decodes an escaped unreserved character, and writes other escapes in upper case. */
function spelling(escaped: string): string {
  const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
  return /[\w.~-]/.test(character) ? character : escaped.toUpperCase();
}
