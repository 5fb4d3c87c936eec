type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * What opened a connection: the upgrade request of Node, a handshake of socket.io, or any object
 * with headers.
 *
 * @publicApi
 */
export interface HandshakeRequest {
  readonly headers: Headers;
  readonly rawHeaders?: readonly string[];
  readonly query?: unknown;
  /**
   * What the client sent besides the headers: `handshake.auth` of socket.io, or `connectionParams`
   * of graphql-ws. The token is in `authorization` (or `Authorization`) as in HTTP, or in `token`,
   * without a scheme.
   */
  readonly auth?: unknown;
  /**
   * The IP address of the client, for tokens that are bound to it. Pass it if you are behind a
   * proxy, according to the proxies that you trust. Default: the address of the connection.
   */
  readonly ip?: unknown;
  /** The request that opened the connection, if this object only replaces the token. */
  readonly opened?: object | undefined;
}

/** A handshake in the form of an HTTP request. */
interface ReadableHandshake {
  readonly headers: Headers;
  readonly rawHeaders: readonly string[];
  readonly query: unknown;
  /** The object in which the binding of the token (address, DPoP proof) is checked. */
  readonly opened?: object | undefined;
  readonly [key: symbol]: unknown;
}

/** The scheme of access tokens. A header with the scheme alone is a malformed token. */
const BEARER = 'Bearer';

/**
 * Converts a handshake to a request from which a token is read. It has no method, so it is not
 * treated as a GET that only reads: the connection can act, so a cookie is accepted only from a
 * page of our own.
 */
export function readHandshake(handshake: HandshakeRequest): ReadableHandshake {
  const { headers, rawHeaders = [], query, auth } = handshake;
  const authorization = onlyOne([...valuesOf(headers['authorization']), ...sentBeside(auth)]);
  const opened = handshake.opened ?? handshake;
  return { headers: { ...headers, authorization }, rawHeaders, query, opened };
}

/**
 * The value of an `authorization` header: none, one, or a list, which is refused as ambiguous.
 * Equal values count once.
 */
export function onlyOne(values: readonly string[]): string | string[] | undefined {
  const distinct = [...new Set(values)];
  return distinct.length > 1 ? distinct : distinct[0];
}

/**
 * The values of `authorization` in metadata, in any case. A value that is not a string is treated
 * as a malformed token.
 */
export function authorizationIn(metadata: unknown): string[] {
  if (typeof metadata !== 'object' || metadata === null) return [];
  return Object.entries(metadata)
    .filter(([name]) => name.toLowerCase() === 'authorization')
    .flatMap(([, value]) => valuesOf(value));
}

function sentBeside(auth: unknown): string[] {
  if (typeof auth !== 'object' || auth === null) return [];
  const tokens = Object.hasOwn(auth, 'token') ? valuesOf((auth as { token: unknown }).token) : [];
  return [...authorizationIn(auth), ...tokens.map((token) => `${BEARER} ${token}`)];
}

function valuesOf(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return values.map((each) => (typeof each === 'string' ? each : BEARER));
}

const REMEMBERED = new WeakMap<object, HandshakeRequest>();

/**
 * Stores the request that opened a client's socket, for the guards. Nest's `WsAdapter` passes it
 * only to `handleConnection()`, and the guards need it for each later message.
 *
 * Call it again with other headers to replace the token, also on a socket of socket.io. It checks
 * nothing: the guards verify the token again for each message.
 *
 * @example
 * ```ts
 * handleConnection(client: WebSocket, request: IncomingMessage) {
 *   rememberHandshake(client, request);
 * }
 * ```
 * @publicApi
 */
export function rememberHandshake(client: object, handshake: HandshakeRequest): void {
  REMEMBERED.set(client, handshake);
}

/** The request that {@link rememberHandshake} stored; `undefined` if it was not called. */
export function rememberedHandshake(client: object): HandshakeRequest | undefined {
  return REMEMBERED.get(client);
}
