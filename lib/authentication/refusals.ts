import { AuthException, AuthUnauthorizedException } from '../errors/auth.exception.js';

/** 401: the request carries no token. */
export function tokenMissing(): AuthException {
  return new AuthUnauthorizedException('token_missing', 'The request carries no access token.');
}

/** 401: what stands in the token's place has not the shape of one. */
export function tokenMalformed(cause?: unknown): AuthException {
  return new AuthUnauthorizedException('token_malformed', 'The token is malformed.', { cause });
}

/**
 * 401: shaped like a token, but not one of ours. Which rule it broke stands in the `cause`, for the
 * application's own log: a stranger is told nothing that helps with the next attempt.
 */
export function tokenInvalid(cause?: unknown): AuthException {
  return new AuthUnauthorizedException('token_invalid', 'The token is not valid.', { cause });
}

/** 401: a token of ours whose time is over; the client should renew it. */
export function tokenExpired(): AuthException {
  return new AuthUnauthorizedException('token_expired', 'The token has expired.');
}

/** 403: a cookie came along with an act that a page of another site asked for. */
export function csrfRefused(): AuthException {
  return new AuthException(403, 'csrf_refused', 'A page of another origin sent this request.', {
    headers: { 'Cache-Control': 'no-store' },
  });
}

/** 400: a way of sending the token that RFC 6750 section 2 or RFC 9700 section 4.3.2 rules out. */
export function invalidRequest(message: string): AuthException {
  const challenge = `Bearer realm="api", error="invalid_request", error_description="${message}"`;
  return new AuthException(400, 'invalid_request', message, {
    headers: { 'WWW-Authenticate': challenge, 'Cache-Control': 'no-store' },
  });
}
