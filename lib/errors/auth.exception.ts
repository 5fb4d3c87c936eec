import { HttpException } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';
import { type AuthErrorCode, ERROR_CODES } from './error-codes.js';

const NO_STORE = { 'Cache-Control': 'no-store' };

/** What an {@link AuthException} carries beside its status, code and sentence. */
export interface AuthExceptionDetails {
  /** Why a rightly signed token was ended; only its owner sees it. */
  reason?: string | undefined;
  /** Of `login_too_old`: how many seconds ago the login may be (RFC 9470 section 3). */
  maxAge?: number | undefined;
  /** Response headers that belong to this refusal, such as `WWW-Authenticate` or `Retry-After`. */
  headers?: Readonly<Record<string, string>>;
  /** The error underneath; it is logged, never sent. */
  cause?: unknown;
}

/**
 * The base of every error that this library sends to a client: an `HttpException` with a stable
 * {@link AuthErrorCode} and the body `{ statusCode, error, message, code, reason?, max_age? }`.
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
  /** Of `login_too_old`: how many seconds ago the login may be. */
  readonly maxAge: number | undefined;
  /** Set on the response by the guard and by {@link AuthExceptionFilter}. */
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
   * What a GraphQL error shows beside the message, as @nestjs/apollo writes it of any HttpException:
   * Apollo's code, and our body with code and reason as `originalError`. graphql-js takes it from here,
   * so that Mercurius and graphql-ws send the same.
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
 * A 401 with the challenge of RFC 6750 section 3: without credentials it names only the realm, with
 * bad ones `error="invalid_token"` and the sentence of the body. A login that is too old is
 * `error="insufficient_user_authentication"` with `max_age` (RFC 9470 section 3).
 *
 * A client that uses DPoP gets it with the scheme `DPoP`.
 *
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
 * It is not a 401, because a 401 would make clients discard their session.
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
 * A 429: the client sent too many such requests. Nothing was consumed, and the request can succeed later.
 *
 * @example
 * ```ts
 * throw new AuthTooManyAttemptsException('Too many codes were asked for. Try later.', 60);
 * ```
 * @publicApi
 */
export class AuthTooManyAttemptsException extends AuthException {
  /** @param wait - Seconds until it can be asked again; at least 1 is sent. */
  constructor(message: string, wait: number) {
    super(429, 'too_many_attempts', message, {
      headers: { ...retryAfter(wait), ...NO_STORE },
    });
  }
}

/** What a call knows about its refusal beside the code. */
export interface RefusalDetails {
  /** In place of the sentence of the table. */
  message?: string;
  /** The revocation's reason; `unspecified` is left out. */
  reason?: string | undefined;
  /** Not sent: a stranger learns nothing that helps with the next attempt. */
  cause?: unknown;
  /** Seconds, for a 429 or 503. */
  retryAfter?: number;
  /** Seconds, for `login_too_old`. */
  maxAge?: number;
}

/** The exception for a code, as the table {@link ERROR_CODES} describes it. */
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

/** 400: a way of sending the token that RFC 6750 section 2 or RFC 9700 section 4.3.2 rules out. */
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

/** The same challenge for a client that uses DPoP (RFC 9449 section 7.1). */
export function dpopChallenge(challenge: string, algorithms: readonly string[]): string {
  if (!challenge.startsWith('Bearer ')) return challenge;
  const algs = algorithms.length === 0 ? '' : `, algs="${algorithms.join(' ')}"`;
  return challenge.replace('Bearer', 'DPoP') + algs;
}

function retryAfter(seconds: number): Record<string, string> {
  return { 'Retry-After': String(Math.max(1, Math.ceil(seconds))) };
}
