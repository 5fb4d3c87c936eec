import { AuthException, type AuthErrorCode, type AuthExceptionDetails } from './auth.exception.js';

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
