import type { KeyObject } from 'node:crypto';
import { Strategy } from 'passport-jwt';
import { refusal } from '../errors/auth.exception.js';

/** The longest accepted token, in characters. A longer one is refused before it is parsed. */
export const MAX_TOKEN_LENGTH = 8192;

const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** The members of a header that are used. All others, such as `jku` and `jwk`, are ignored (JW-09). */
export interface TokenHeader {
  readonly alg?: unknown;
  readonly kid?: unknown;
  readonly typ?: unknown;
}

/** Whether a text is three non-empty parts in canonical base64url (JW-04). */
export function isCompactToken(token: string): boolean {
  return (
    token.length <= MAX_TOKEN_LENGTH &&
    COMPACT.test(token) &&
    token.split('.').every((part) => hasCanonicalEnd(part))
  );
}

/**
 * Parses the header of a token of any type, strictly.
 *
 * @throws AuthUnauthorizedException `token_malformed`; `token_invalid` for a header with `crit` or `b64`.
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
  // "crit" lists extensions that must be understood, and none is supported (RFC 7515 section 4.1.11).
  if ('crit' in header || 'b64' in header) {
    throw refusal('token_invalid', { cause: 'The header has "crit" or "b64".' });
  }
  return header;
}

/** Whether the `typ` of a header is that of an access token (RFC 9068 section 2.1). */
export function isAccessTokenType(typ: unknown): boolean {
  const type = typeof typ === 'string' ? typ.toLowerCase() : '';
  return type === 'at+jwt' || type === 'application/at+jwt';
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/**
 * Whether the unused bits of the last base64url digit are zero (RFC 4648 section 3.5). Otherwise up to
 * fifteen other last characters would decode to the same bytes, so one token would have several texts.
 */
export function hasCanonicalEnd(text: string): boolean {
  const rest = text.length & 3;
  if (rest === 0) return text.length > 0;
  if (rest === 1) return false;
  const last = DIGITS.indexOf(text.charAt(text.length - 1));
  return last >= 0 && (last & (rest === 2 ? 15 : 3)) === 0;
}

/**
 * Decodes a part of a token. It must be canonical base64url, valid UTF-8 and JSON. No object may have a
 * duplicate name or the name `__proto__`, and every string and number must be exact.
 *
 * @throws Error if one of these conditions is not met.
 */
export function parseSegment(segment: string): unknown {
  const bytes = Buffer.from(segment, 'base64url');
  if (bytes.toString('base64url') !== segment) throw new Error('base64url is not canonical');
  const text = UTF8.decode(bytes);
  const value: unknown = JSON.parse(text);
  refuseAmbiguousNames(text);
  const inexact = inexactIn(value);
  if (inexact !== undefined) throw new Error(`${inexact} is not exact`);
  return value;
}

/**
 * Describes a part of a JSON value that other parsers read differently: a string with a lone surrogate, or
 * a number that is not finite (`1e309`). It does not recurse, because the sender chooses the depth.
 */
export function inexactIn(value: unknown): string | undefined {
  const open: unknown[] = [value];
  // Claims that an application wants signed may be cyclic, and may have a toJSON() method.
  const seen = new Set<unknown>();
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next === 'number' && !Number.isFinite(next)) return 'a number';
    if (typeof next === 'string' && !next.isWellFormed()) return 'a text with half a character';
    if (typeof next !== 'object' || next === null || seen.has(next)) continue;
    seen.add(next);
    if (typeof Reflect.get(next, 'toJSON') === 'function') continue;
    for (const [name, member] of Object.entries(next)) open.push(name, member);
  }
  return undefined;
}

/**
 * Checks the same for a part whose characters are base64url and that is parsed already.
 *
 * Usually counting is enough: if the text is as long as the shortest JSON text of the parsed value, parsing
 * lost nothing. A duplicate member or another spelling makes the text longer. Then it is parsed again
 * strictly. Counting decodes and allocates nothing; serialising the value and comparing took 3 % of a
 * request.
 *
 * @throws Error if {@link parseSegment} would refuse the part.
 */
export function assertStrictSegment(value: object, segment: string): void {
  const bytes = (segment.length * 3) >> 2;
  if (!hasCanonicalEnd(segment) || shortestObject(value) !== bytes) parseSegment(segment);
}

/** The bytes of the shortest JSON text of a value; `NaN` if that is uncertain. */
function shortest(value: unknown): number {
  if (typeof value === 'string') return shortestString(value);
  if (typeof value === 'number') return shortestNumber(value);
  if (typeof value === 'boolean') return value ? 4 : 5;
  return value === null ? 4 : shortestObject(value as object);
}

/** Every character takes at least one byte, but several invalid bytes may have become one U+FFFD. */
function shortestString(text: string): number {
  return text.includes('\ufffd') ? Number.NaN : text.length + 2;
}

/**
 * Three trailing zeros could be written shorter with an exponent. Fractions are rare. Both are uncertain.
 */
function shortestNumber(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) return Number.NaN;
  if (value >= 1e9 && value < 1e10 && value % 1000 !== 0) return 10;
  return value !== 0 && value % 1000 === 0 ? Number.NaN : String(value).length;
}

function shortestObject(value: object): number {
  // Brackets, and one comma fewer than members.
  let bytes = 1;
  if (Array.isArray(value)) {
    for (const element of value) bytes += 1 + shortest(element);
    return Math.max(2, bytes);
  }
  for (const name in value) {
    if (name === '__proto__') return Number.NaN;
    bytes += 2 + shortestString(name) + shortest((value as Record<string, unknown>)[name]);
  }
  return Math.max(2, bytes);
}

/**
 * Refuses duplicate names. It expects a text that `JSON.parse` has accepted, and does not recurse, because
 * the sender chooses the depth.
 */
function refuseAmbiguousNames(text: string): void {
  const open: (Set<string> | null)[] = [];
  let expectsName = false;
  for (let index = 0; index < text.length; index += 1) {
    switch (text[index]) {
      case '{':
        open.push(new Set());
        expectsName = true;
        break;
      case '[':
        open.push(null);
        expectsName = false;
        break;
      case '}':
      case ']':
        open.pop();
        expectsName = false;
        break;
      case ',':
        expectsName = open.at(-1) instanceof Set;
        break;
      case '"': {
        const end = endOfString(text, index);
        if (expectsName) addName(open.at(-1), text.slice(index, end + 1));
        expectsName = false;
        index = end;
        break;
      }
      default:
    }
  }
}

function endOfString(text: string, start: number): number {
  let index = start + 1;
  while (index < text.length && text[index] !== '"') index += text[index] === '\\' ? 2 : 1;
  return index;
}

function addName(names: Set<string> | null | undefined, literal: string): void {
  // Two spellings of one name ("a", "\u0061") are the same name.
  const name = JSON.parse(literal) as string;
  if (name === '__proto__' || names?.has(name) !== false) {
    throw new Error('an object has an ambiguous member name');
  }
  names.add(name);
}

// It is typed here, so that the types of this package do not need @types/passport-jwt.
const PassportJwtStrategy = Strategy as unknown as new (
  options: Readonly<Record<string, unknown>>,
  verified: (payload: unknown, done: (error: null, payload: unknown) => void) => void,
) => { authenticate(question: SignatureQuestion): void };

/** What is passed to passport-jwt instead of a request. */
interface SignatureQuestion {
  readonly token: string;
  readonly key: KeyObject;
}

/** Runs passport-jwt for one token and one key, synchronously. */
export class PassportJwt extends PassportJwtStrategy {
  private payload: unknown;

  constructor(options: { algorithms: readonly string[]; issuer?: string; audience?: string }) {
    super(
      {
        jwtFromRequest: ({ token }: SignatureQuestion) => token,
        secretOrKeyProvider: (
          { key }: SignatureQuestion,
          _token: string,
          done: (error: null, key: KeyObject) => void,
        ) => done(null, key),
        // These only work here: passport-jwt overwrites them in jsonWebTokenOptions.
        ...options,
        ignoreExpiration: true,
        // Times are checked by ProofClock, not by the clock of the host.
        jsonWebTokenOptions: { ignoreNotBefore: true },
      },
      (payload, done) => done(null, payload),
    );
  }

  /**
   * Verifies the signature of a token, and returns its payload.
   *
   * @throws AuthUnauthorizedException `token_invalid` if the signature, the issuer or the audience is
   * wrong, else `token_malformed`. jsonwebtoken throws a TypeError or SyntaxError for some tokens, which
   * must not become a 500.
   */
  verify(token: string, key: KeyObject): unknown {
    this.payload = undefined;
    try {
      this.authenticate({ token, key });
    } catch (cause) {
      throw refusal(isCompactToken(token) ? 'token_invalid' : 'token_malformed', { cause });
    }
    return this.payload;
  }

  protected success(payload: unknown): void {
    this.payload = payload;
  }

  protected fail(cause?: unknown): never {
    throw cause instanceof Error ? cause : new Error('The payload is empty.');
  }

  protected error(cause: unknown): never {
    throw cause;
  }
}
