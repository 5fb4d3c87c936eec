import { Logger } from '@nestjs/common';
import { refusal } from '../errors/auth.exception.js';
import { logText } from '../platform/log-text.js';
import { hasCanonicalEnd, parseSegment } from './strict-json.js';

/** The longest token that is looked at: whatever is longer is refused by its length alone. */
export const MAX_TOKEN_LENGTH = 8192;

const logger = new Logger('JwtStrategy');
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** The members of a header that are looked at; what else is in it is never used (JW-09). */
export interface TokenHeader {
  readonly alg?: unknown;
  readonly kid?: unknown;
  readonly typ?: unknown;
}

/** Whether a text is three non-empty base64url parts in their one spelling (JW-04). */
export function isCompactToken(token: string): boolean {
  return (
    token.length <= MAX_TOKEN_LENGTH &&
    COMPACT.test(token) &&
    token.split('.').every((part) => hasCanonicalEnd(part))
  );
}

/**
 * The header of a token of any type, strictly read.
 *
 * @throws AuthUnauthorizedException `token_malformed`; `token_invalid` for an extension.
 */
export function headerOf(token: string): TokenHeader {
  if (!isCompactToken(token)) throw refusal('token_malformed');
  let header: unknown;
  try {
    header = parseSegment(token.slice(0, token.indexOf('.')));
  } catch (cause) {
    throw refusal('token_malformed', { cause });
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw refusal('token_malformed', { cause: 'The header is not an object.' });
  }
  // "crit" names extensions that must be understood; none is (RFC 7515 section 4.1.11).
  if ('crit' in header || 'b64' in header) {
    throw refusal('token_invalid', { cause: 'The header has "crit" or "b64".' });
  }
  return header;
}

/** Whether a header's `typ` is that of an access token (RFC 9068 section 2.1). */
export function isAccessTokenType(typ: unknown): boolean {
  const type = typeof typ === 'string' ? typ.toLowerCase() : '';
  return type === 'at+jwt' || type === 'application/at+jwt';
}

/**
 * RFC 9068 section 4: a token of another type is no access token, even if the key fits.
 *
 * @throws AuthUnauthorizedException `token_invalid`.
 */
export function assertAccessTokenType(typ: unknown): void {
  if (isAccessTokenType(typ)) return;
  const shown = logText(JSON.stringify(typ) ?? 'none', 40);
  logger.debug(`Refused: a token of type ${shown} came as an access token, which is "at+jwt".`);
  throw refusal('token_invalid', { cause: 'The type is not "at+jwt".' });
}
