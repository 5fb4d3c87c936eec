type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * What opened a connection: the upgrade request of Node, a handshake of socket.io, or any object with
 * headers. @publicApi
 */
export interface HandshakeRequest {
  readonly headers: Headers;
  readonly rawHeaders?: readonly string[];
  readonly query?: unknown;
  /**
   * What the client sent beside the headers, as `handshake.auth` of socket.io and `connectionParams` of
   * graphql-ws: `authorization` (or `Authorization`) as in HTTP, or `token`, without a scheme.
   */
  readonly auth?: unknown;
  /**
   * The address of the client, for tokens that are bound to it: give it behind a proxy, by your rule of which
   * proxies are trusted. Otherwise it is that of the connection.
   */
  readonly ip?: unknown;
  /** The request that opened the connection, where this one only brings another token. */
  readonly opened?: object | undefined;
}

/** A handshake in the form of a request. */
interface ReadableHandshake {
  readonly headers: Headers;
  readonly rawHeaders: readonly string[];
  readonly query: unknown;
  /** What a token of it is bound to is looked for there. */
  readonly opened?: object | undefined;
  readonly [key: symbol]: unknown;
}

/** The scheme of access tokens. Alone it is a malformed token. */
const BEARER = 'Bearer';

/**
 * A handshake as a request from which a token is read. It has no method: an upgrade is a GET, but what
 * it opens can act, so a cookie counts only where the handshake comes from a page of our own.
 */
export function readHandshake(handshake: HandshakeRequest): ReadableHandshake {
  const { headers, rawHeaders = [], query, auth } = handshake;
  const authorization = onlyOne([...valuesOf(headers['authorization']), ...sentBeside(auth)]);
  const opened = handshake.opened ?? handshake;
  return { headers: { ...headers, authorization }, rawHeaders, query, opened };
}

/** `authorization` as a header: none, one, or a list, which is refused. The same one twice is one. */
export function onlyOne(values: readonly string[]): string | string[] | undefined {
  const distinct = [...new Set(values)];
  return distinct.length > 1 ? distinct : distinct[0];
}

/** The values of `authorization` in metadata, in any spelling. A value that is no text is a malformed token. */
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
 * Remembers the request that opened a client's socket. Nest's `WsAdapter` passes it to
 * `handleConnection()` only, and the guards need it at each later message.
 *
 * Call it again with other headers to replace the token, also on a socket of socket.io. It checks
 * nothing: the guards judge the token anew at each message.
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

/** That of {@link rememberHandshake}; `undefined` where it was not called. */
export function rememberedHandshake(client: object): HandshakeRequest | undefined {
  return REMEMBERED.get(client);
}
