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
