import { HttpException } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';
import { type AuthErrorCode, ERROR_CODES } from './error-codes.js';

const NO_STORE = { 'Cache-Control': 'no-store' };

/** What an {@link AuthException} contains besides its status, code and message. @publicApi */
export interface AuthExceptionDetails {
  /** Why the token was revoked. Only a client with a correctly signed token gets it. */
  reason?: string | undefined;
  /** With `login_too_old`: how many seconds ago the login may be (RFC 9470 section 3). */
  maxAge?: number | undefined;
  /** Headers of the response, such as `WWW-Authenticate` or `Retry-After`. */
  headers?: Readonly<Record<string, string>>;
  /** The error that caused it, for the log. It is never sent to the client. */
  cause?: unknown;
}

/**
 * The base class of every error that this library sends to a client. It is an `HttpException` with a stable
 * {@link AuthErrorCode} and the body `{ statusCode, error, message, code, reason?, max_age? }`.
 *
 * The message never contains a token, a secret or a database error.
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
  /** The code, which stays the same within a major version. Compare it, not the message, which may change. */
  readonly code: AuthErrorCode;
  /** Why the token was revoked; `undefined` if the client may not know, or if there is no reason. */
  readonly reason: string | undefined;
  /** With `login_too_old`: how many seconds ago the login may be. */
  readonly maxAge: number | undefined;
  /** The headers of the response. The guards and {@link AuthExceptionFilter} set them. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: AuthErrorCode,
    message: string,
    details: AuthExceptionDetails = {},
  ) {
    const { reason, maxAge } = details;
    super(
      {
        statusCode: status,
        error: STATUS_CODES[status] ?? 'Error',
        message,
        code,
        ...(reason === undefined ? {} : { reason }),
        ...(maxAge === undefined ? {} : { max_age: maxAge }),
      },
      status,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.code = code;
    this.reason = reason;
    this.maxAge = maxAge;
    this.headers = details.headers ?? {};
  }

  /**
   * The `extensions` of a GraphQL error: Apollo's code, and our body as `originalError`, in the form that the
   * package @nestjs/apollo gives to any HttpException. graphql-js reads this property, so Mercurius and
   * graphql-ws send the same.
   */
  get extensions(): {
    readonly code: string;
    readonly status: number;
    readonly originalError: object;
  } {
    const status = this.getStatus();
    return {
      code: GRAPHQL_CODES[status] ?? 'INTERNAL_SERVER_ERROR',
      status,
      originalError: this.getResponse() as object,
    };
  }
}

const GRAPHQL_CODES: Readonly<Record<number, string>> = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
};

/**
 * A 401 with the header `WWW-Authenticate` (RFC 6750 section 3). Without a token the header has only the
 * realm. With an invalid token it also has `error="invalid_token"` and the message. If the login is too
 * old, it has `error="insufficient_user_authentication"` and `max_age` (RFC 9470 section 3).
 *
 * A client that uses DPoP gets the scheme `DPoP` instead of `Bearer`.
 *
 * @example
 * ```ts
 * // In a guard of your own, for a client that should log in:
 * throw new AuthUnauthorizedException('token_invalid', 'The device of this token was removed.');
 * ```
 * @publicApi
 */
export class AuthUnauthorizedException extends AuthException {
  constructor(code: AuthErrorCode, message: string, details: AuthExceptionDetails = {}) {
    super(401, code, message, {
      ...details,
      headers: {
        ...challenge(challengeOf(code), message, details.maxAge),
        ...details.headers,
        ...NO_STORE,
      },
    });
  }
}

/**
 * A 503: the library cannot check a token or store a change at the moment. The client can try again.
 *
 * It is not a 401, because a 401 would make clients discard their session. `Retry-After` has the seconds to
 * wait, by default 1.
 *
 * @publicApi
 */
export class AuthUnavailableException extends AuthException {
  constructor(
    code: 'revocation_state_unknown' | 'storage_unavailable' | 'no_signing_key',
    message: string,
    details: { retryAfter?: number; cause?: unknown } = {},
  ) {
    super(503, code, message, {
      cause: details.cause,
      headers: { ...retryAfter(details.retryAfter ?? 1), ...NO_STORE },
    });
  }
}

/**
 * A 429: the client sent too many requests of this kind. Nothing was consumed, so the same request can
 * succeed later.
 *
 * @example
 * ```ts
 * throw new AuthTooManyAttemptsException('Too many codes were asked for. Try later.', 60);
 * ```
 * @publicApi
 */
export class AuthTooManyAttemptsException extends AuthException {
  /** @param wait - Seconds until the client may try again, for `Retry-After`. At least 1 is sent. */
  constructor(message: string, wait: number) {
    super(429, 'too_many_attempts', message, {
      headers: { ...retryAfter(wait), ...NO_STORE },
    });
  }
}

/** What a caller of {@link refusal} can add to the code. */
export interface RefusalDetails {
  /** @default the message of the table */
  message?: string;
  /** The reason of the revocation. `unspecified` is omitted. */
  reason?: string | undefined;
  /** The cause, for the log. It is never sent, because it could help an attacker. */
  cause?: unknown;
  /** Seconds; with a 429 or 503. */
  retryAfter?: number;
  /** Seconds; with `login_too_old`. */
  maxAge?: number;
}

/** Makes the exception for a code, with its status and message in {@link ERROR_CODES}. */
export function refusal(code: AuthErrorCode, details: RefusalDetails = {}): AuthException {
  const { status, message: usual } = ERROR_CODES[code];
  const { message = usual, cause, retryAfter: wait = 1, maxAge } = details;
  const reason = details.reason === 'unspecified' ? undefined : details.reason;
  if (status === 401)
    return new AuthUnauthorizedException(code, message, { reason, cause, maxAge });
  if (status === 429) return new AuthTooManyAttemptsException(message, wait);
  if (status === 503) {
    return new AuthUnavailableException(code as 'storage_unavailable', message, {
      retryAfter: wait,
      cause,
    });
  }
  return new AuthException(status, code, message, { reason, cause, headers: NO_STORE });
}

/**
 * A 400 for a token that was sent twice (RFC 6750 section 2) or in the URL, where logs and the `Referer`
 * header would reveal it (RFC 9700 section 4.3.2).
 */
export function badlySentToken(message: string): AuthException {
  return new AuthException(400, 'invalid_request', message, {
    headers: { ...challenge('invalid_request', message), ...NO_STORE },
  });
}

function challengeOf(code: AuthErrorCode): string | undefined {
  if (code === 'token_missing') return undefined;
  return code === 'login_too_old' ? 'insufficient_user_authentication' : 'invalid_token';
}

function challenge(
  error: string | undefined,
  sentence: string,
  maxAge?: number,
): Record<string, string> {
  // `error_description` may contain neither quotes nor backslashes (RFC 6750 section 3).
  const description = sentence.replace(/["\\]/g, "'");
  const realm = 'Bearer realm="api"';
  const age = maxAge === undefined ? '' : `, max_age="${maxAge}"`;
  return {
    'WWW-Authenticate':
      error === undefined
        ? realm
        : `${realm}, error="${error}", error_description="${description}"${age}`,
  };
}

/** A `Bearer` challenge as the `DPoP` challenge with the accepted algorithms (RFC 9449 section 7.1). */
export function dpopChallenge(challenge: string, algorithms: readonly string[]): string {
  if (!challenge.startsWith('Bearer ')) return challenge;
  const algs = algorithms.length === 0 ? '' : `, algs="${algorithms.join(' ')}"`;
  return challenge.replace('Bearer', 'DPoP') + algs;
}

function retryAfter(seconds: number): Record<string, string> {
  return { 'Retry-After': String(Math.max(1, Math.ceil(seconds))) };
}
