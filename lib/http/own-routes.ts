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

/** The metadata key from which FastifyAdapter reads the `config` of a route (`@RouteConfig()`). */
const ROUTE_CONFIG = '__fastify_route_config__';
const OWN_ROUTE = 'nestjs-logout';

/** The part of an HTTP adapter that is used here. */
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

/**
 * Marks a class of the library's own routes. Put `@UseGuards()` with guards that may refuse above it:
 * decorators apply from the bottom up, so this guard then runs first, and its headers are on refusals too.
 */
export function OwnRoutes(): ClassDecorator {
  return applyDecorators(UseGuards(OwnRoutesGuard), markRoutes as ClassDecorator);
}

/** Accepts all requests. It only prepares headers that every response needs, a refusal too. */
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

/** Marks the methods of a class, for {@link acceptUnreadBodies}. */
function markRoutes(routes: Type): void {
  const prototype = routes.prototype as object;
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const method = Object.getOwnPropertyDescriptor(prototype, name);
    if (name === 'constructor' || typeof method?.value !== 'function') continue;
    SetMetadata(ROUTE_CONFIG, { [OWN_ROUTE]: true })(prototype, name, method);
  }
}

/**
 * Makes the library's own routes on Fastify ignore an empty body, and a body whose content type has no
 * parser. Express ignores them anyway.
 *
 * Many clients send a content type with every POST, and a beacon sends any type that the page chose. Fastify
 * refuses an empty JSON body (400) and an unknown type (415), so such clients could not log out.
 *
 * Call it before routes are registered. Routes of the application do not change.
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

/** Removes the headers that announce a body, so that Fastify does not read it. Node discards the bytes. */
function forgetBody({ headers }: RawRequest): void {
  delete headers['content-type'];
  delete headers['content-length'];
  delete headers['transfer-encoding'];
}

/** Whether there is no body: HTTP/1.1 shows that in headers (RFC 9112 section 6.3), HTTP/2 in a flag. */
function hasNoBody({ headers, httpVersionMajor, stream }: RawRequest): boolean {
  const length = headers['content-length'];
  if (length === '0') return true;
  if (httpVersionMajor >= 2) return stream?.endAfterHeaders === true;
  return length === undefined && headers['transfer-encoding'] === undefined;
}

/**
 * Whether Fastify parses the content type. JSON and forms (RFC 7009 section 2.1), which our routes read,
 * always count as parsed: the application may have registered their parser with a RegExp or with `'*'`, and
 * `hasContentTypeParser()` does not find such a parser by the type.
 */
function isParsed(server: FastifyInstance, contentType = ''): boolean {
  if (/json|x-www-form-urlencoded/i.test(contentType)) return true;
  return server.hasContentTypeParser(contentType.split(';', 1)[0]?.trim() ?? '');
}

/** Waits for the first bytes of a chunked body, or for its end if it is empty. */
function whenItStarts(raw: RawRequest, callback: (isEmpty: boolean) => void): void {
  // A known length is not 0 here: hasNoBody() was first. A middleware may have read the body already.
  const isRead = raw.readableFlowing !== null || raw.readableEnded;
  if (raw.headers['content-length'] !== undefined || isRead) return callback(false);
  const events = ['readable', 'end', 'close'] as const;
  const onEvent = (): void => {
    for (const event of events) raw.off(event, onEvent);
    // If the stream is destroyed, the client hung up. That is not an empty body.
    callback(raw.readableLength === 0 && !raw.destroyed);
  };
  for (const event of events) raw.on(event, onEvent);
}

/** The part of a request that routes read. Express and Fastify both have it. */
export interface HttpRequest extends AuthRequest {
  readonly body?: unknown;
  /** The client's address. It follows the framework's `trust proxy`. */
  readonly ip?: unknown;
  /** The path and the query. */
  readonly url?: string;
  /** The request id: Fastify's own, or one that a middleware of the application has set. */
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
 * What the client states about itself (`client`, `device`), and what is known of its connection.
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
 * Whether the browser remembers the login: `true` unless the body has `persistent: false`. A form sends the
 * word `false`.
 *
 * @throws AuthException 400 `invalid_request`.
 */
export function persistentOf(request: HttpRequest): boolean {
  const value = memberOf(request, 'persistent');
  if (value === undefined || value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  throw badRequest('persistent is neither true nor false.');
}

/**
 * What AuthEvents report about a request, for an audit. There is no `actor`: it would be the account's own
 * id, and the log stores actors, maybe for longer than the account exists.
 */
export function auditOf({ id }: HttpRequest): { readonly requestId: string | undefined } {
  return { requestId: typeof id === 'string' ? id : undefined };
}

/**
 * An optional string in the body.
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
 * The header `Idempotency-Key` or the member `idempotency_key`. The IETF draft puts the value of the header
 * in quotes. Most clients do not, so both forms are accepted.
 *
 * @throws AuthException 400 `idempotency_key_invalid`, also if the two differ.
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

/** A 400, by default with the code `invalid_request`. */
export function badRequest(
  message: string,
  code: AuthErrorCode = 'invalid_request',
): AuthException {
  return refusal(code, { message });
}

/**
 * A member of a JSON body or a field of a form; `undefined` if the body is not an object. This does not use
 * `@Body()`, because global pipes of the application would validate it against the wrong type.
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
