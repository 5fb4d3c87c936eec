import { type AuthException, refusal } from '../errors/auth.exception.js';
import type { AuthErrorCode } from '../errors/error-codes.js';
import type { AuthRequest } from '../platform/request.js';
import { isIdentifier } from '../platform/identifier.js';
import { type ClientContext, idempotencyKeyOf } from '../sessions/login-context.js';
import type { Credentials } from './http-options.js';

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
  throw badRequest(`${name} is not a text, or an empty one.`);
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
    'The request has one idempotency key in its header and another in its body.',
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
  throw badRequest(`${name} is not a text of at most 255 characters.`);
}
