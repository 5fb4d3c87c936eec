import { SetMetadata, type Type } from '@nestjs/common';
import type { IncomingHttpHeaders } from 'node:http';

/** Where FastifyAdapter finds the `config` of a route (`@RouteConfig()`). */
const ROUTE_CONFIG = '__fastify_route_config__';
const OWN_ROUTE = 'nestjs-logout';

/** What is used of an HTTP adapter; on Express nothing. */
interface Adapter {
  getType(): string;
  getInstance(): unknown;
}

interface RawRequest {
  readonly headers: IncomingHttpHeaders;
  readonly httpVersionMajor: number;
  readonly stream?: { readonly endAfterHeaders?: boolean };
}

type OnRequest = (request: { readonly raw: RawRequest }, reply: unknown, done: () => void) => void;

interface FastifyRoute {
  readonly config?: Readonly<Record<string, unknown>>;
  onRequest?: OnRequest | OnRequest[];
}

interface FastifyInstance {
  addHook(name: 'onRoute', hook: (route: FastifyRoute) => void): unknown;
}

/** Marks the routes of a class, for {@link acceptEmptyBodies}. */
export function asOwnRoutes(routes: Type): void {
  const prototype = routes.prototype as object;
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const method = Object.getOwnPropertyDescriptor(prototype, name);
    if (name === 'constructor' || typeof method?.value !== 'function') continue;
    SetMetadata(ROUTE_CONFIG, { [OWN_ROUTE]: true })(prototype, name, method);
  }
}

/**
 * Lets the library's own routes take a request without a body whatever content type it names, as they do
 * on Express. Many clients name one with every POST; Fastify refuses an empty body that is said to be
 * JSON (400) or of a kind that it does not know (415), so that nobody could log out there.
 *
 * Called before routes are registered. Routes of the application are left alone.
 */
export function acceptEmptyBodies(adapter: Adapter | undefined): void {
  if (adapter?.getType() !== 'fastify') return;
  (adapter.getInstance() as FastifyInstance).addHook('onRoute', (route) => {
    if (route.config?.[OWN_ROUTE] !== true) return;
    route.onRequest = [forgetKindOfNothing, ...[route.onRequest ?? []].flat()];
  });
}

const forgetKindOfNothing: OnRequest = ({ raw }, _reply, done) => {
  if (isWithoutBody(raw)) delete raw.headers['content-type'];
  done();
};

/** HTTP/2 says by a flag what HTTP/1.1 says by headers (RFC 9112 section 6.3). */
function isWithoutBody({ headers, httpVersionMajor, stream }: RawRequest): boolean {
  const length = headers['content-length'];
  if (length === '0') return true;
  if (httpVersionMajor >= 2) return stream?.endAfterHeaders === true;
  return length === undefined && headers['transfer-encoding'] === undefined;
}
