import { addressOf } from '../platform/client-address.js';
import { hostOf } from '../platform/cookies.js';
import type { AuthRequest } from '../platform/request.js';

/**
 * A request of Express or Fastify, or an object with what is used of one. The scheme and the host follow
 * the framework's setting `trust proxy`. @publicApi
 */
export interface DpopRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly method?: unknown;
  /** The path, as it was sent. */
  readonly url?: unknown;
  /** The same, where `url` is below a router. */
  readonly originalUrl?: unknown;
  /** `http` or `https`. */
  readonly protocol?: unknown;
  /** With the port, if there is one. */
  readonly host?: unknown;
}

/** What opened a connection: a request of Node, or a handshake of socket.io. */
interface Opening extends DpopRequest {
  readonly ip?: unknown;
  readonly address?: unknown;
  readonly secure?: unknown;
  readonly socket?: { readonly remoteAddress?: unknown; readonly encrypted?: unknown };
}

/** The request in which a proof and an address are looked for: behind a message, what opened its socket. */
export function openingOf(request: AuthRequest | DpopRequest): Opening {
  const { opened } = request as { readonly opened?: Opening };
  return opened ?? (request as Opening);
}

/**
 * The address of the client; `undefined` where there is none. That of an HTTP request is what the framework
 * says, which knows the proxies; no header is read.
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

/** The absolute URL of a request without its query; `undefined` where it is not known. */
export function requestUrlOf(request: DpopRequest): string | undefined {
  const { originalUrl, url, protocol, secure, socket, headers } = request as Opening;
  const sent = originalUrl ?? url;
  if (typeof sent !== 'string') return undefined;
  const isUpgrade = headers['upgrade'] !== undefined;
  const isTls = secure === true || socket?.encrypted === true;
  const scheme = typeof protocol === 'string' ? protocol : isTls ? 'https' : 'http';
  const host = hostOf(request as AuthRequest, isUpgrade);
  // Whoever sends the header could otherwise move the border between host and path.
  if (host === '' || /[/?#\\@\s]/.test(host)) return undefined;
  return plainUrlOf(`${scheme}://${host}${pathOf(sent)}`);
}

/** Of a target in absolute form only the path: whoever sends it chooses the host that it names. */
function pathOf(sent: string): string {
  if (sent.startsWith('/')) return sent;
  return URL.canParse(sent) ? new URL(sent).pathname : `/${sent}`;
}

/**
 * A URL in one spelling, without query and fragment (RFC 9449 section 4.3, RFC 3986 section 6.2.2); `undefined`
 * for what is no URL of HTTP. A WebSocket is opened by HTTP.
 */
export function plainUrlOf(url: string): string | undefined {
  const text = url.replace(/^ws(?=s?:)/i, 'http');
  if (!/^https?:/i.test(text) || !URL.canParse(text)) return undefined;
  const { origin, pathname } = new URL(text);
  return origin + pathname.replaceAll(/%[0-9a-f]{2}/gi, spelling);
}

function spelling(escaped: string): string {
  const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
  return /[\w.~-]/.test(character) ? character : escaped.toUpperCase();
}
