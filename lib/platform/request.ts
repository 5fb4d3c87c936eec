import type { ExecutionContext } from '@nestjs/common';
import { AuthWiringError } from '../errors/auth-wiring.error.js';

/** What the library needs of a request: its headers, and room for what authentication found. */
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
 * The HTTP request behind a controller (Express, Fastify) or a GraphQL resolver.
 *
 * @throws AuthWiringError behind a gateway or a message handler, where there is no such request.
 */
export function requestOf(context: ExecutionContext): AuthRequest {
  const type: string = context.getType();
  if (type === 'http') return context.switchToHttp().getRequest<AuthRequest>();
  const graphql = context.getArgByIndex<{ req?: AuthRequest } | undefined>(2);
  if (type === 'graphql' && graphql?.req !== undefined) return graphql.req;
  throw new AuthWiringError(
    `A guard of nestjs-logout ran in a "${type}" context that has no HTTP request.`,
    'Behind a gateway or a message handler call TokenService.verify(token) yourself.',
    'In GraphQL let the context hold the request: context: ({ req }) => ({ req }).',
  );
}

/**
 * Refuses what is no HTTP request of Node, Express or Fastify: the context of a graphql-ws connection,
 * which Apollo's default `context` passes as `req`, or a Fetch request, whose headers are no properties.
 *
 * @throws AuthWiringError saying what `context` has to return.
 */
export function assertHeaders({ headers }: { readonly headers?: unknown }): void {
  const isPlain = typeof headers === 'object' && headers !== null;
  if (isPlain && !(headers instanceof Headers)) return;
  throw new AuthWiringError(
    isPlain
      ? 'A guard of nestjs-logout was given a Fetch request; it reads headers as properties.'
      : 'A guard of nestjs-logout was given a request without headers, so it cannot find a token.',
    'In GraphQL return the HTTP request from `context`, for queries and for subscriptions over graphql-ws: ' +
      'context: ({ req, extra }) => ({ req: extra?.request ?? req }).',
    'Where the token is in connectionParams: ' +
      'context: ({ req, connectionParams }) => ({ req: connectionParams ? { headers: { authorization: connectionParams.authorization } } : req }).',
    'In a subclass of JwtAuthGuard let getRequest() return an object with `headers`.',
  );
}

/** Sets headers on the answer, on Express and Fastify alike. Without an answer (a socket) it does nothing. */
export function setResponseHeaders(
  context: ExecutionContext,
  headers: Readonly<Record<string, string>>,
): void {
  const response =
    context.getType<string>() === 'graphql'
      ? context.getArgByIndex<{ res?: HeaderWriter } | undefined>(2)?.res
      : context.switchToHttp().getResponse<HeaderWriter | undefined>();
  if (typeof response?.header !== 'function') return;
  for (const [name, value] of Object.entries(headers)) response.header(name, value);
}

/** Our own place on the request: `user` belongs to the application, which may put anything there. */
const CLAIMS = Symbol.for('nestjs-logout:claims');

const KID = Symbol.for('nestjs-logout:kid');

/** The verified claims of the token that authenticated a request; `undefined` where none did. */
export function claimsOf<Claims extends object>(request: AuthRequest): Claims | undefined {
  return request[CLAIMS] as Claims | undefined;
}

/** The kid of the key that verified these claims; `undefined` where our strategy did not. */
export function kidOfRequest(request: AuthRequest): string | undefined {
  return request[KID] as string | undefined;
}

/** Called by whatever authenticated a request, after the last check. */
export function rememberClaims(request: AuthRequest, claims: object, kid?: string): void {
  request[CLAIMS] = claims;
  request[KID] = kid;
}
