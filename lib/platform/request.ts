import type { ExecutionContext } from '@nestjs/common';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { dpopChallenge } from '../errors/auth.exception.js';
import { connectionRequest, messageRequest, socketRequest } from './message-request.js';

/**
 * The part of a request that the library uses: its headers, and symbol properties for the result of
 * authentication.
 */
export interface AuthRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly raw?: { readonly rawHeaders?: readonly string[] };
  readonly rawHeaders?: readonly string[];
  readonly query?: unknown;
  [key: symbol]: unknown;
}

interface HeaderWriter {
  header?(name: string, value: string): unknown;
}

/**
 * The HTTP request behind a controller (Express, Fastify) or a GraphQL resolver; a `MessageRequest`
 * behind a subscription, a gateway or a message handler.
 *
 * @throws AuthWiringError if there is neither a request nor a message that could contain a token.
 */
export function requestOf(context: ExecutionContext): AuthRequest {
  const type: string = context.getType();
  if (type === 'http') return context.switchToHttp().getRequest<AuthRequest>();
  if (type === 'ws') return socketRequest(context);
  if (type === 'rpc') return messageRequest(context);
  const found = type === 'graphql' ? operationRequest(context) : undefined;
  if (found !== undefined) return found;
  throw new AuthWiringError(
    `A guard of nestjs-logout ran in a "${type}" context that has no HTTP request.`,
    'In GraphQL let context return the request: context: ({ req }) => ({ req }).',
    'With any other transport, call TokenService.verify(token) yourself.',
  );
}

/**
 * The result of the `context` function of GraphQL. `request` is that of Mercurius over graphql-ws.
 */
interface GraphqlContext {
  readonly req?: AuthRequest & { readonly res?: object };
  readonly request?: AuthRequest;
  readonly res?: object;
  readonly reply?: object;
}

function operationRequest(context: ExecutionContext): AuthRequest | undefined {
  const operation = context.getArgByIndex<GraphqlContext | undefined>(2);
  if (operation === undefined || operation.req?.headers !== undefined) return operation?.req;
  return connectionRequest(operation as object) ?? operation.req ?? operation.request;
}

/**
 * Checks that an object is an HTTP request of Node, Express or Fastify. It may be the context of a
 * graphql-ws connection, which Apollo's default `context` passes as `req`, or a Fetch request,
 * whose headers are not properties.
 *
 * @throws AuthWiringError that says what `context` has to return.
 */
export function assertHeaders({ headers }: { readonly headers?: unknown }): void {
  const isPlain = typeof headers === 'object' && headers !== null;
  if (isPlain && !(headers instanceof Headers)) return;
  throw new AuthWiringError(
    isPlain
      ? 'A guard of nestjs-logout got a Fetch request, but it reads headers as properties.'
      : 'A guard of nestjs-logout got a request without headers, so it cannot find a token.',
    'In GraphQL return the HTTP request from `context`; over graphql-ws the connection, or its request: ' +
      'context: ({ req, extra }) => ({ req: extra?.request ?? req }).',
    'In a subclass of JwtAuthGuard let getRequest() return an object with `headers`.',
  );
}

const CHALLENGE = 'WWW-Authenticate';

/** Requests with DPoP proofs, and the accepted algorithms of these proofs. */
const DPOP_CLIENTS = new WeakMap<object, readonly string[]>();

/**
 * Makes a refusal of this request use the challenge scheme `DPoP` (RFC 9449 section 7.1).
 *
 * @param algorithms - The accepted algorithms of proofs, if they are known.
 */
export function challengeWithDpop(request: object, algorithms: readonly string[] = []): void {
  if (!DPOP_CLIENTS.has(request)) DPOP_CLIENTS.set(request, algorithms);
}

/**
 * Sets the headers of a refusal on the response of Express or Fastify. Without an HTTP response it
 * does nothing.
 */
export function setResponseHeaders(
  context: ExecutionContext,
  headers: Readonly<Record<string, string>>,
): void {
  const response = responseOf(context) as HeaderWriter | undefined;
  if (typeof response?.header !== 'function') return;
  for (const [name, value] of Object.entries(headers)) {
    response.header(name, name === CHALLENGE ? challengeTo(context, value) : value);
  }
}

function challengeTo(context: ExecutionContext, challenge: string): string {
  const isHttp = context.getType() === 'http';
  const request = isHttp ? requestOf(context) : operationRequest(context);
  const algorithms = request && DPOP_CLIENTS.get(request);
  return algorithms === undefined ? challenge : dpopChallenge(challenge, algorithms);
}

/** The HTTP response of a controller or a resolver; `undefined` behind a socket. */
export function responseOf(context: ExecutionContext): object | undefined {
  const type: string = context.getType();
  if (type === 'http') return context.switchToHttp().getResponse<object | undefined>();
  if (type !== 'graphql') return undefined;
  const operation = context.getArgByIndex<GraphqlContext | undefined>(2);
  return operation?.res ?? operation?.reply ?? operation?.req?.res;
}

/**
 * The result of authentication: the verified claims, and the `kid` of the key that verified them,
 * if it was one of ours.
 */
interface Authenticated {
  readonly claims: object;
  readonly kid: string | undefined;
}

/**
 * The property of the request that has the result. `user` is not used, because the application may
 * assign anything to it, and logout and revocation checks rely on verified claims. It is one
 * property for both values, because each further property costs Express 5 µs on Node 20.
 */
const AUTHENTICATED = Symbol.for('nestjs-logout:authenticated');

/** The verified claims of the token that authenticated a request; `undefined` if there was none. */
export function claimsOf<Claims extends object>(request: AuthRequest): Claims | undefined {
  return (request[AUTHENTICATED] as Authenticated | undefined)?.claims as Claims | undefined;
}

/**
 * The `kid` of the key that verified these claims; `undefined` if our strategy did not verify them.
 */
export function kidOfRequest(request: AuthRequest): string | undefined {
  return (request[AUTHENTICATED] as Authenticated | undefined)?.kid;
}

/**
 * The `kid` of the key that verified a claims object, for watched connections: `revokeKey()`
 * revokes the tokens of one key, and claims do not contain it. A copy of the claims has no entry.
 */
export const KID_OF_CLAIMS = new WeakMap<object, string>();

/** Stores the result of authentication. Call it only after the last check. */
export function rememberClaims(request: AuthRequest, claims: object, kid?: string): void {
  request[AUTHENTICATED] = { claims, kid } satisfies Authenticated;
}
