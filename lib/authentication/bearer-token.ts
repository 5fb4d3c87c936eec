import type { AuthRequest } from '../platform/execution-context.js';
import { invalidRequest, tokenMalformed } from './refusals.js';

/** The longest token that is looked at: whatever is longer is refused by its length alone. */
export const MAX_TOKEN_LENGTH = 8192;

const SCHEME = 'bearer';
const SPACE = 0x20;
const TAB = 0x09;

/**
 * The token in `Authorization: Bearer …`, or `undefined` where there is none or another scheme.
 *
 * Written as comparisons of single characters: the usual `(\S+)\s+(\S+)` is quadratic, and one header
 * of 16 KB stops the event loop for 130 ms.
 *
 * @throws AuthException 400 for two headers or a token in the query, 401 for an empty or over-long one.
 */
export function bearerToken(request: AuthRequest): string | undefined {
  refuseTokenInQuery(request);
  const header = request.headers['authorization'];
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || hasSecondHeader(request)) {
    throw invalidRequest('The request has more than one Authorization header.');
  }
  if (!hasBearerScheme(header)) return undefined;
  const length = header.length - SCHEME.length - 1;
  if (length < 1 || length > MAX_TOKEN_LENGTH) throw tokenMalformed();
  // Exactly one space (RFC 6750 section 2.1); a second one would stand at the token's first place.
  const first = header.charCodeAt(SCHEME.length + 1);
  if (header.charCodeAt(SCHEME.length) !== SPACE || first === SPACE || first === TAB) {
    throw tokenMalformed();
  }
  return header.slice(SCHEME.length + 1);
}

function hasBearerScheme(header: string): boolean {
  for (let index = 0; index < SCHEME.length; index += 1) {
    // Setting bit 5 lowers ASCII letters, and makes no other character into one of these six.
    if ((header.charCodeAt(index) | 0x20) !== SCHEME.charCodeAt(index)) return false;
  }
  if (header.length === SCHEME.length) return true;
  const next = header.charCodeAt(SCHEME.length);
  return next === SPACE || next === TAB;
}

/** Node keeps the first of two Authorization headers and says nothing; a proxy may keep the last. */
function hasSecondHeader(request: AuthRequest): boolean {
  const raw = request.rawHeaders ?? request.raw?.rawHeaders;
  if (raw === undefined) return false;
  let found = 0;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index];
    if (name?.length === 13 && name.toLowerCase() === 'authorization') found += 1;
  }
  return found > 1;
}

/** Addresses end up in logs and histories. Express parses `query` at each look: look only if need be. */
function refuseTokenInQuery(request: AuthRequest & { readonly url?: unknown }): void {
  const { url } = request;
  if (typeof url === 'string' && !url.includes('?')) return;
  const { query } = request;
  if (typeof query === 'object' && query !== null && Object.hasOwn(query, 'access_token')) {
    throw invalidRequest('An access token does not belong into the address.');
  }
}
