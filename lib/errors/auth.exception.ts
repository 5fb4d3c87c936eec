import { HttpException } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';

/**
 * The stable codes that a client can act on; they stand in the body of every answer that refuses.
 *
 * A code is never renamed within a major version. `binding_mismatch` is reserved: nothing answers with
 * it yet.
 */
export type AuthErrorCode =
  | 'token_missing'
  | 'token_malformed'
  | 'token_invalid'
  | 'token_expired'
  | 'token_revoked'
  | 'session_ended'
  | 'account_locked'
  | 'account_disabled'
  | 'key_revoked'
  | 'binding_mismatch'
  | 'refresh_token_invalid'
  | 'refresh_token_expired'
  | 'refresh_token_reused'
  | 'invalid_request'
  | 'idempotency_key_invalid'
  | 'too_many_attempts'
  | 'invalid_subject'
  | 'credentials_missing'
  | 'credentials_invalid'
  | 'forbidden'
  | 'csrf_refused'
  | 'not_found'
  | 'nothing_to_revoke'
  | 'no_signing_key'
  | 'revocation_state_unknown'
  | 'storage_unavailable';

/** What an {@link AuthException} carries beside its status, code and sentence. */
export interface AuthExceptionDetails {
  /** Why a rightly signed token was ended; told to its owner only. */
  reason?: string | undefined;
  /** Response headers that belong to this refusal, such as `WWW-Authenticate` or `Retry-After`. */
  headers?: Readonly<Record<string, string>>;
  /** The error underneath; it is logged, never sent. */
  cause?: unknown;
}

/**
 * The base of every error that this library sends to a client: an `HttpException` with a stable
 * {@link AuthErrorCode} and the body `{ statusCode, error, message, code, reason? }`.
 *
 * The message never holds a token, a secret or a database error.
 *
 * @example
 * ```ts
 * catch (error) {
 *   if (error instanceof AuthException && error.code === 'token_expired') return this.renew();
 *   throw error;
 * }
 * ```
 * @publicApi
 */
export class AuthException extends HttpException {
  /** Stable, for programs; the message is for people and may change. */
  readonly code: AuthErrorCode;
  /** Why the token was ended, when the holder may know. */
  readonly reason: string | undefined;
  /** Set on the response by the guard and by {@link AuthExceptionFilter}. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: AuthErrorCode,
    message: string,
    details: AuthExceptionDetails = {},
  ) {
    const body = { statusCode: status, error: STATUS_CODES[status] ?? 'Error', message, code };
    super(
      details.reason === undefined ? body : { ...body, reason: details.reason },
      status,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.message = message;
    this.code = code;
    this.reason = details.reason;
    this.headers = details.headers ?? {};
  }
}

const REALM = 'Bearer realm="api"';

/**
 * A 401 with the challenge of RFC 6750 section 3: without credentials it names only the realm, with
 * bad ones `error="invalid_token"` and the sentence of the body.
 *
 * @publicApi
 */
export class AuthUnauthorizedException extends AuthException {
  constructor(code: AuthErrorCode, message: string, details: AuthExceptionDetails = {}) {
    const challenge =
      code === 'token_missing'
        ? REALM
        : `${REALM}, error="invalid_token", error_description="${message.replace(/["\\]/g, "'")}"`;
    super(401, code, message, {
      ...details,
      headers: { ...details.headers, 'WWW-Authenticate': challenge, 'Cache-Control': 'no-store' },
    });
  }
}

/**
 * A 503 that can be tried again: the library could not prove what it would have to assert.
 *
 * It is never a 401, which would make clients throw sessions away, and never a success.
 *
 * @publicApi
 */
export class AuthUnavailableException extends AuthException {
  constructor(
    code: 'revocation_state_unknown' | 'storage_unavailable' | 'no_signing_key',
    message: string,
    details: { retryAfter?: number; cause?: unknown } = {},
  ) {
    const retryAfter = Math.max(1, Math.ceil(details.retryAfter ?? 1));
    super(503, code, message, {
      cause: details.cause,
      headers: { 'Retry-After': String(retryAfter), 'Cache-Control': 'no-store' },
    });
  }
}

/**
 * A 429: the same is asked too often. Nothing was consumed; the same request succeeds later.
 *
 * @example
 * ```ts
 * throw new AuthTooManyAttemptsException('Too many codes were asked for. Try later.', 60);
 * ```
 * @publicApi
 */
export class AuthTooManyAttemptsException extends AuthException {
  /** @param retryAfter - Seconds until it can be asked again; at least 1 is sent. */
  constructor(message: string, retryAfter: number) {
    super(429, 'too_many_attempts', message, {
      headers: {
        'Retry-After': String(Math.max(1, Math.ceil(retryAfter))),
        'Cache-Control': 'no-store',
      },
    });
  }
}
