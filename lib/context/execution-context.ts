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

/** Sets headers on the answer, on Express and Fastify alike; does nothing where there is none. */
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
