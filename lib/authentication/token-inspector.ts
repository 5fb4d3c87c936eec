import { Logger } from '@nestjs/common';
import { refusal } from '../errors/auth.exception.js';
import type { AuthKey } from '../options/auth-key.js';
import { logText } from '../platform/log-text.js';
import type { KeyRing } from './key-ring.js';
import { hasCanonicalEnd, parseSegment } from './strict-json.js';
import { MAX_TOKEN_LENGTH } from './token-source.js';

const logger = new Logger('JwtStrategy');
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** The members of a header that are looked at; what else stands there is never used (JW-09). */
interface TokenHeader {
  readonly alg?: unknown;
  readonly kid?: unknown;
  readonly typ?: unknown;
}

/** What can be said of a token before its signature is verified. */
export interface InspectedToken {
  readonly key: AuthKey;
  /** The middle part as it was sent. */
  readonly payload: string;
  /** Whether it is a token of the passport recipe, by its header: another key, and other claims. */
  readonly isLegacy: boolean;
}

/**
 * Whether a text is three non-empty base64url parts, canonically spelt (JW-04).
 *
 * Our own way through {@link inspectToken} asks this only to name the refusal: there jsonwebtoken
 * has looked at the characters, and the comparison of the payload at its spelling.
 */
export function isCompactToken(token: string): boolean {
  return (
    token.length <= MAX_TOKEN_LENGTH &&
    COMPACT.test(token) &&
    token.split('.').every((part) => hasCanonicalEnd(part))
  );
}

/**
 * Finds the key of an access token and checks its header: rules JW-01, 03, 04, 05, 09 and 10.
 *
 * @throws AuthUnauthorizedException `token_malformed` or `token_invalid`.
 */
export function inspectToken(ring: KeyRing, token: string): InspectedToken {
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  if (first < 1 || second < first + 2 || token.length > MAX_TOKEN_LENGTH)
    throw refusal('token_malformed');
  if (!hasCanonicalEnd(token.slice(second + 1))) throw refusal('token_malformed');
  const payload = token.slice(first + 1, second);
  const ours = ring.findByHeader(token.slice(0, first));
  if (ours !== undefined) return { key: ours, payload, isLegacy: false };
  const header = headerOf(token);
  const { legacy } = ring;
  if (legacy?.hasShape(header) === true && legacy.isOpen()) {
    return { key: legacy.key, payload, isLegacy: true };
  }
  const key = keyOfHeader(ring, header);
  refuseOtherType(header.typ);
  return { key, payload, isLegacy: false };
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
    throw refusal('token_malformed', { cause: cause });
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw refusal('token_malformed', { cause: 'The header is not an object.' });
  }
  // "crit" names extensions that must be understood; none is (RFC 7515 section 4.1.11).
  if ('crit' in header || 'b64' in header)
    throw refusal('token_invalid', { cause: 'The header has "crit" or "b64".' });
  return header;
}

function keyOfHeader(ring: KeyRing, { alg, kid }: TokenHeader): AuthKey {
  const key = typeof kid === 'string' ? ring.find(kid) : undefined;
  if (key === undefined)
    throw refusal('token_invalid', { cause: 'No key has the kid of the token.' });
  if (alg !== key.alg)
    throw refusal('token_invalid', { cause: 'The algorithm is not that of the key.' });
  return key;
}

/** Whether a header's `typ` is that of an access token (RFC 9068 section 2.1). */
export function isAccessTokenType(typ: unknown): boolean {
  const type = typeof typ === 'string' ? typ.toLowerCase() : '';
  return type === 'at+jwt' || type === 'application/at+jwt';
}

/** RFC 9068 section 4: every other kind of token is something else, even if the key fits. */
function refuseOtherType(typ: unknown): void {
  if (isAccessTokenType(typ)) return;
  reportType(typ);
  throw refusal('token_invalid', { cause: 'The type is not "at+jwt".' });
}

function reportType(typ: unknown): void {
  const shown = logText(JSON.stringify(typ) ?? 'none', 40);
  logger.debug(`Refused: a token of type ${shown} came as an access token, which is "at+jwt".`);
}
