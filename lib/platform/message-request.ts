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
 * Replaces the HTTP request behind a gateway, a message handler or a subscription. Each message has
 * its own, which stores the result of authentication. The token is read when it is first needed,
 * because `@CurrentUser()` in a public handler needs none.
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

  /** The request that opened the connection; `undefined` for a message without a connection. */
  get opened(): object | undefined {
    return this.sent.opened;
  }

  private get sent(): Sent {
    return (this.found ??= this.find());
  }
}

/** The properties of a socket of socket.io that are used. */
interface SocketClient {
  readonly handshake?: HandshakeRequest;
  readonly request?: { readonly rawHeaders?: readonly string[] };
}

/**
 * The request of a message to a gateway. It is stored in the list of arguments, because only that
 * list is shared by the guards and parameters of one message and by no other message. Storing it on
 * the socket would mix up messages that are handled at the same time.
 */
export function socketRequest(context: ExecutionContext): MessageRequest {
  const args = context.getArgs<unknown[]>();
  const known = args.find((each) => each instanceof MessageRequest);
  if (known !== undefined) return known;
  const client = args[0] as SocketClient;
  const request = new MessageRequest(() => readHandshake(handshakeOf(client)));
  // Nest reads client and data from the start of the list and the pattern from its end, so it is
  // inserted between them.
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

/**
 * The properties of a connection of graphql-ws that are used. Apollo's default `context` passes it
 * as `req`.
 */
interface Connection {
  readonly connectionParams?: unknown;
  readonly extra?: { readonly request?: HandshakeRequest };
  readonly request?: HandshakeRequest;
}

/**
 * The request of an operation over graphql-ws.
 *
 * @param operation - The result of the `context` function for this operation.
 * @returns `undefined` if it contains no connection.
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
 * The request of a message to a microservice, made from what its transport passes with each
 * message.
 *
 * @throws AuthWiringError for a transport that passes nothing that could contain a token.
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

/** Metadata of gRPC. It is recognised by its methods, so that @grpc/grpc-js is not imported. */
export interface GrpcMetadata {
  get(name: string): unknown[];
  getMap(): object;
}

/** The metadata of a gRPC call; `undefined` for other transports. */
export function grpcMetadata([data, given]: readonly unknown[]): GrpcMetadata | undefined {
  // A handler with @GrpcStreamCall() gets the call itself.
  const ofCall = isObject(data) ? data['metadata'] : undefined;
  return [given, ofCall].find(
    (each): each is GrpcMetadata =>
      isObject(each) && isFunction(each['getMap']) && isFunction(each['get']),
  );
}

/** The methods of the contexts of Nest's transports that are used. */
interface TransportContext {
  /** NATS. */
  getHeaders?(): { keys(): Iterable<string>; values(name: string): string[] } | undefined;
  /** RabbitMQ. Other transports have the method too, without `properties`. */
  getMessage?(): { readonly properties?: { readonly headers?: unknown } } | undefined;
  /** TCP and Redis since Nest 12, if the client sends metadata. */
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
  // A value that is not a string is ignored, because the application may use that name in its data
  // for something else.
  return [...authorizationIn(attached), ...(typeof own === 'string' ? [own] : [])];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isFunction(value: unknown): value is () => unknown {
  return typeof value === 'function';
}
