import { AuthException } from './auth.exception.js';

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
