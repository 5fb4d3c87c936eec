import type { ExecutionContext } from '@nestjs/common';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import {
  authorizationIn,
  type HandshakeRequest,
  onlyOne,
  readHandshake,
  rememberedHandshake,
} from './handshake.js';

type Sent = ReturnType<typeof readHandshake>;

/**
 * Replaces the request where there is none: behind a gateway, a message handler, or a subscription. Each
 * message has one of its own, which keeps what authentication found. The token is read when it is first
 * needed, because `@CurrentUser()` of a public handler needs none.
 */
export class MessageRequest {
  [key: symbol]: unknown;
  private found: Sent | undefined;

  constructor(private readonly find: () => Sent) {}

  get headers(): Sent['headers'] {
    return this.sent.headers;
  }

  get rawHeaders(): Sent['rawHeaders'] {
    return this.sent.rawHeaders;
  }

  get query(): unknown {
    return this.sent.query;
  }

  /** What opened the connection; `undefined` for a message that came without one. */
  get opened(): object | undefined {
    return this.sent.opened;
  }

  private get sent(): Sent {
    return (this.found ??= this.find());
  }
}

/** What is used of a socket of socket.io. */
interface SocketClient {
  readonly handshake?: HandshakeRequest;
  readonly request?: { readonly rawHeaders?: readonly string[] };
}

/**
 * The request of a message to a gateway. It becomes an element of the list of arguments, because only those
 * are shared by the guards and the parameters of one message, and by no other message.
 */
export function socketRequest(context: ExecutionContext): MessageRequest {
  const args = context.getArgs<unknown[]>();
  const known = args.find((each) => each instanceof MessageRequest);
  if (known !== undefined) return known;
  const client = args[0] as SocketClient;
  const request = new MessageRequest(() => readHandshake(handshakeOf(client)));
  // Nest finds client and data at the start, and the pattern at the end.
  args.splice(Math.max(2, args.length - 1), 0, request);
  return request;
}

function handshakeOf(client: SocketClient): HandshakeRequest {
  const remembered = rememberedHandshake(client);
  if (remembered !== undefined) return remembered;
  if (client.handshake !== undefined) {
    const { headers, query, auth } = client.handshake;
    const rawHeaders = client.request?.rawHeaders ?? [];
    return { headers, query, auth, rawHeaders, opened: client.handshake };
  }
  throw new AuthWiringError(
    'A guard of nestjs-logout ran in a gateway and does not know the request that opened the socket.',
    "With Nest's WsAdapter, pass it in the gateway: handleConnection(client, request) { rememberHandshake(client, request); }",
    'If the token arrives in another way: rememberHandshake(client, { headers: { authorization: `Bearer ${token}` } }).',
  );
}

const OF_OPERATION = new WeakMap<object, MessageRequest>();

/** What is used of the connection of graphql-ws, which Apollo's default `context` passes as `req`. */
interface Connection {
  readonly connectionParams?: unknown;
  readonly extra?: { readonly request?: HandshakeRequest };
  readonly request?: HandshakeRequest;
}

/**
 * The request of an operation over graphql-ws.
 *
 * @param operation - What `context` returned for it.
 * @returns `undefined` where nothing of it is a connection.
 */
export function connectionRequest(
  operation: Connection & { readonly req?: Connection },
): MessageRequest | undefined {
  const known = OF_OPERATION.get(operation);
  if (known !== undefined) return known;
  const connection = [operation.req, operation].find(isConnection);
  if (connection === undefined) return undefined;
  const { connectionParams: auth, extra, request = extra?.request } = connection;
  const { headers = {}, rawHeaders = [] } = request ?? {};
  const sent = { headers, rawHeaders, auth, opened: request };
  const found = new MessageRequest(() => readHandshake(sent));
  OF_OPERATION.set(operation, found);
  return found;
}

function isConnection(each: unknown): boolean {
  return isObject(each) && ('connectionParams' in each || 'extra' in each);
}

const OF_MESSAGE = new WeakMap<object, MessageRequest>();

/**
 * The request of a message to a microservice, from what its transport passes with each message.
 *
 * @throws AuthWiringError for a transport that passes nothing in which a token could be.
 */
export function messageRequest(context: ExecutionContext): MessageRequest {
  const [data, given] = context.getArgs<unknown[]>();
  const message = [given, data].find(isObject);
  if (message === undefined) {
    throw new AuthWiringError(
      'A guard of nestjs-logout ran in a message handler whose transport passes neither a context nor an object as data.',
      'Let the transport strategy call handler(data, context) with a new object for each message.',
      'Or put the token in the data: { authorization: `Bearer ${token}` }.',
    );
  }
  let request = OF_MESSAGE.get(message);
  if (request === undefined) {
    request = new MessageRequest(() => ({
      headers: { authorization: onlyOne(authorizationOf(data, given)) },
      rawHeaders: [],
      query: undefined,
    }));
    OF_MESSAGE.set(message, request);
  }
  return request;
}

/** Metadata of gRPC, by its shape. */
export interface GrpcMetadata {
  get(name: string): unknown[];
  getMap(): object;
}

/** The metadata of a gRPC call; `undefined` for other transports. */
export function grpcMetadata([data, given]: readonly unknown[]): GrpcMetadata | undefined {
  // @GrpcStreamCall() gets the call itself.
  const ofCall = isObject(data) ? data['metadata'] : undefined;
  return [given, ofCall].find(
    (each): each is GrpcMetadata =>
      isObject(each) && isFunction(each['getMap']) && isFunction(each['get']),
  );
}

/** What is used of the contexts of Nest's transports. */
interface TransportContext {
  /** NATS */
  getHeaders?(): { keys(): Iterable<string>; values(name: string): string[] } | undefined;
  /** RabbitMQ, and others that have no properties */
  getMessage?(): { readonly properties?: { readonly headers?: unknown } } | undefined;
  /** TCP and Redis since Nest 12, where the client attached it */
  getMetadata?(): unknown;
}

function authorizationOf(data: unknown, given: unknown): string[] {
  const metadata = grpcMetadata([data, given]);
  if (metadata !== undefined) {
    return authorizationIn({ authorization: metadata.get('authorization') });
  }
  const context = (isObject(given) ? given : {}) as TransportContext;
  if (isFunction(context.getHeaders)) {
    const headers = context.getHeaders();
    const names = [...(headers?.keys() ?? [])];
    return names.flatMap((name) => authorizationIn({ [name]: headers?.values(name) }));
  }
  const properties = isFunction(context.getMessage) ? context.getMessage()?.properties : undefined;
  if (properties !== undefined) return authorizationIn(properties.headers);
  const attached = isFunction(context.getMetadata) ? context.getMetadata() : undefined;
  const own = isObject(data) && Object.hasOwn(data, 'authorization') ? data['authorization'] : null;
  // The application may use that name for something else.
  return [...authorizationIn(attached), ...(typeof own === 'string' ? [own] : [])];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isFunction(value: unknown): value is () => unknown {
  return typeof value === 'function';
}
