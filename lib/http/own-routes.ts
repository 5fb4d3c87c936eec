import {
  applyDecorators,
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  SetMetadata,
  type Type,
  UseGuards,
} from '@nestjs/common';
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { TOKEN_BINDING, type TokenBinding } from '../binding/token-binding.js';
import { type AuthException, refusal } from '../errors/auth.exception.js';
import type { AuthErrorCode } from '../errors/error-codes.js';
import type { AuthRequest } from '../platform/request.js';
import { isIdentifier } from '../platform/identifier.js';
import { type ClientContext, idempotencyKeyOf } from '../sessions/login-context.js';
import type { Credentials } from './http-options.js';
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
  return applyDecorators(UseGuards(OwnRoutesGuard), markRoutes as ClassDecorator);
}

/** Accepts all requests, and prepares what refusals need as much as answers. */
@Injectable()
class OwnRoutesGuard implements CanActivate {
  constructor(@Inject(TOKEN_BINDING) private readonly binding: TokenBinding | null) {}

  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    http.getResponse<Pick<CookieResponse, 'header'>>().header('Cache-Control', 'no-store');
    this.binding?.noteClient(http.getRequest<AuthRequest>());
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

/** What a route reads of a request: Express and Fastify both have these. */
export interface HttpRequest extends AuthRequest {
  readonly body?: unknown;
  /** By the platform's trusted-proxy setting. */
  readonly ip?: unknown;
  /** The path and the query. */
  readonly url?: string;
  /** Fastify's own, or what a middleware of the application has set. */
  readonly id?: unknown;
}

/** @throws AuthException 400 `credentials_missing`. */
export function credentialsOf(request: HttpRequest): Credentials {
  const [username, password] = [memberOf(request, 'username'), memberOf(request, 'password')];
  if (typeof username === 'string' && typeof password === 'string') {
    if (username !== '' && password !== '') return { username, password };
  }
  throw refusal('credentials_missing');
}

/**
 * What the client says of itself, and what is known of its connection.
 *
 * @throws AuthException 400 `invalid_request`.
 */
export function clientOf(request: HttpRequest): Omit<ClientContext, 'delivery'> {
  const userAgent = request.headers['user-agent'];
  return {
    client: labelOf(request, 'client'),
    device: labelOf(request, 'device'),
    ip: typeof request.ip === 'string' ? request.ip : undefined,
    userAgent: typeof userAgent === 'string' ? userAgent : undefined,
    dpop: request,
    ...auditOf(request),
  };
}

/**
 * Whether the browser remembers the login: `true` unless the body has `persistent: false`. A form has it as
 * text.
 *
 * @throws AuthException 400 `invalid_request`.
 */
export function persistentOf(request: HttpRequest): boolean {
  const value = memberOf(request, 'persistent');
  if (value === undefined || value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  throw badRequest('persistent is neither true nor false.');
}

/** What an audit may know of the request. No actor: the account's own name would outlive the account. */
export function auditOf({ id }: HttpRequest): { readonly requestId: string | undefined } {
  return { requestId: typeof id === 'string' ? id : undefined };
}

/**
 * An optional text.
 *
 * @throws AuthException 400 `invalid_request` for anything else, and for an empty text.
 */
export function textOf(request: HttpRequest, name: string): string | undefined {
  const value = memberOf(request, name);
  if (value === undefined) return undefined;
  if (typeof value === 'string' && value !== '') return value;
  throw badRequest(`${name} is not a string, or it is empty.`);
}

/**
 * The header `Idempotency-Key` or the member `idempotency_key`. The draft of the IETF writes the header
 * in quotes, most clients without.
 *
 * @throws AuthException 400 `idempotency_key_invalid`, also where the two differ.
 */
export function idempotencyKeyIn(request: HttpRequest): string | undefined {
  const header = request.headers['idempotency-key'];
  const member = memberOf(request, 'idempotency_key');
  if (header === undefined && member === undefined) return undefined;
  const inHeader = idempotencyKeyOf(
    typeof header === 'string' ? header.replace(/^"(.*)"$/, '$1') : header,
  );
  const inBody = idempotencyKeyOf(member);
  if (inHeader === undefined || inBody === undefined || inHeader === inBody) {
    return inHeader ?? inBody;
  }
  throw badRequest(
    'The request has different idempotency keys in its header and in its body.',
    'idempotency_key_invalid',
  );
}

/** 400 `invalid_request`, unless there is a code of its own. */
export function badRequest(
  message: string,
  code: AuthErrorCode = 'invalid_request',
): AuthException {
  return refusal(code, { message });
}

/**
 * A member of a JSON object or a field of a form. Taken from the request and not by `@Body()`: an
 * application's pipes do not know what is expected here. Whatever is no object has no members.
 */
function memberOf({ body }: HttpRequest, name: string): unknown {
  const isObject = typeof body === 'object' && body !== null;
  return isObject && Object.hasOwn(body, name) ? Reflect.get(body, name) : undefined;
}

function labelOf(request: HttpRequest, name: 'client' | 'device'): string | undefined {
  const value = memberOf(request, name);
  if (value === undefined || value === '') return undefined;
  if (isIdentifier(value)) return value;
  throw badRequest(`${name} is not a string of at most 255 characters.`);
}
