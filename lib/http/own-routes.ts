import {
  applyDecorators,
  type CanActivate,
  type ExecutionContext,
  Injectable,
  SetMetadata,
  type Type,
  UseGuards,
} from '@nestjs/common';
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { CookieResponse } from '../platform/cookies.js';

/** Where FastifyAdapter finds the `config` of a route (`@RouteConfig()`). */
const ROUTE_CONFIG = '__fastify_route_config__';
const OWN_ROUTE = 'nestjs-logout';

/** What is used of an HTTP adapter; on Express nothing. */
interface Adapter {
  getType(): string;
  getInstance(): unknown;
}

interface RawRequest extends Readable {
  readonly headers: IncomingHttpHeaders;
  readonly httpVersionMajor: number;
  readonly stream?: { readonly endAfterHeaders?: boolean };
}

interface FastifyInstance {
  addHook(name: 'onRoute', hook: (route: FastifyRoute) => void): unknown;
  hasContentTypeParser(contentType: string): boolean;
}

interface FastifyRequest {
  readonly raw: RawRequest;
  readonly server: FastifyInstance;
}

type OnRequest = (request: FastifyRequest, reply: unknown, done: () => void) => void;

interface FastifyRoute {
  readonly config?: Readonly<Record<string, unknown>>;
  onRequest?: OnRequest | OnRequest[];
}

/** What all routes of the library share, set on their class. Guards that may refuse are put above it. */
export function OwnRoutes(): ClassDecorator {
  return applyDecorators(UseGuards(NoStoreGuard), markRoutes as ClassDecorator);
}

/** Accepts all requests, and sets the header that refusals need as much as answers. */
@Injectable()
class NoStoreGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const response = context.switchToHttp().getResponse<Pick<CookieResponse, 'header'>>();
    response.header('Cache-Control', 'no-store');
    return true;
  }
}

/** Marks the routes of a class, for {@link acceptUnreadBodies}. */
function markRoutes(routes: Type): void {
  const prototype = routes.prototype as object;
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const method = Object.getOwnPropertyDescriptor(prototype, name);
    if (name === 'constructor' || typeof method?.value !== 'function') continue;
    SetMetadata(ROUTE_CONFIG, { [OWN_ROUTE]: true })(prototype, name, method);
  }
}

/**
 * Makes the library's own routes ignore a body that is empty, or of a content type without a parser, as
 * they do on Express. Many clients send a content type with every POST, and a beacon sends what the page
 * gave it. Fastify refuses an empty JSON body (400) and a type that it does not know (415), so that such
 * clients could not log out.
 *
 * Called before routes are registered. Routes of the application are left alone.
 */
export function acceptUnreadBodies(adapter: Adapter | undefined): void {
  if (adapter?.getType() !== 'fastify') return;
  (adapter.getInstance() as FastifyInstance).addHook('onRoute', (route) => {
    if (route.config?.[OWN_ROUTE] !== true) return;
    route.onRequest = [forgetUnreadBody, ...[route.onRequest ?? []].flat()];
  });
}

const forgetUnreadBody: OnRequest = ({ raw, server }, _reply, done) => {
  if (hasNoBody(raw) || !isParsed(server, raw.headers['content-type'])) {
    forgetBody(raw);
    return done();
  }
  whenItStarts(raw, (isEmpty) => {
    if (isEmpty) forgetBody(raw);
    done();
  });
};

/** Fastify reads no body where no header speaks of one. Node discards what may come. */
function forgetBody({ headers }: RawRequest): void {
  delete headers['content-type'];
  delete headers['content-length'];
  delete headers['transfer-encoding'];
}

/** HTTP/2 says by a flag what HTTP/1.1 says by headers (RFC 9112 section 6.3). */
function hasNoBody({ headers, httpVersionMajor, stream }: RawRequest): boolean {
  const length = headers['content-length'];
  if (length === '0') return true;
  if (httpVersionMajor >= 2) return stream?.endAfterHeaders === true;
  return length === undefined && headers['transfer-encoding'] === undefined;
}

/**
 * Fastify does not say whether a parser of the application takes a type by a RegExp or by `'*'`. Those
 * that our routes read, JSON and forms (RFC 7009 section 2.1), are left to it.
 */
function isParsed(server: FastifyInstance, contentType = ''): boolean {
  if (/json|x-www-form-urlencoded/i.test(contentType)) return true;
  return server.hasContentTypeParser(contentType.split(';', 1)[0]?.trim() ?? '');
}

/** Calls back at the first byte of a body in chunks, or at its end if there is none. */
function whenItStarts(raw: RawRequest, callback: (isEmpty: boolean) => void): void {
  // A length that is known is not 0 here. A middleware of the application may have read it already.
  const isRead = raw.readableFlowing !== null || raw.readableEnded;
  if (raw.headers['content-length'] !== undefined || isRead) return callback(false);
  const events = ['readable', 'end', 'close'] as const;
  const onEvent = (): void => {
    for (const event of events) raw.off(event, onEvent);
    // Destroyed: the client hung up in the middle of it.
    callback(raw.readableLength === 0 && !raw.destroyed);
  };
  for (const event of events) raw.on(event, onEvent);
}
