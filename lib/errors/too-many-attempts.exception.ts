import { AuthException } from './auth.exception.js';

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
