import type { KeyObject } from 'node:crypto';
import { Strategy } from 'passport-jwt';
import { refusal } from '../errors/auth.exception.js';

/** The longest token that is looked at: whatever is longer is refused by its length alone. */
export const MAX_TOKEN_LENGTH = 8192;

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

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/**
 * Whether the last digit of a base64url text leaves no unused bit set (RFC 4648 section 3.5). Where
 * it may, up to fifteen other last characters spell the same bytes, and so the same token.
 */
export function hasCanonicalEnd(text: string): boolean {
  const rest = text.length & 3;
  if (rest === 0) return text.length > 0;
  if (rest === 1) return false;
  const last = DIGITS.indexOf(text.charAt(text.length - 1));
  return last >= 0 && (last & (rest === 2 ? 15 : 3)) === 0;
}

/**
 * Decodes a part of a token: canonical base64url, valid UTF-8, JSON in which no object has a name
 * twice and none has the name `__proto__`, and in which every text and number is exact.
 *
 * @throws Error when one of these does not hold.
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
 * What of a JSON value others would read as something else, in words: a text with half a character
 * (a lone surrogate), or a number that is not finite (`1e309`). Without recursion, as below.
 */
export function inexactIn(value: unknown): string | undefined {
  const open: unknown[] = [value];
  // Claims that are to be signed may hold each other, and may say themselves what JSON they are.
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
 * The same question about a part whose characters are base64url and that has been parsed already.
 *
 * The usual token is answered by counting: if its text is as long as the shortest text of the value
 * that was parsed from it, nothing was lost in parsing. Any member that was overwritten, and anything
 * that is spelt differently, makes it longer; that goes the long way. Nothing is decoded or
 * allocated for it: to serialise the value again and compare took 3 % of a request.
 *
 * @throws Error when the part is not strict.
 */
export function assertStrictSegment(value: object, segment: string): void {
  const bytes = (segment.length * 3) >> 2;
  if (!hasCanonicalEnd(segment) || shortestObject(value) !== bytes) parseSegment(segment);
}

/** The bytes of the shortest JSON text of a value; `NaN` where that is not certain. */
function shortest(value: unknown): number {
  if (typeof value === 'string') return shortestString(value);
  if (typeof value === 'number') return shortestNumber(value);
  if (typeof value === 'boolean') return value ? 4 : 5;
  return value === null ? 4 : shortestObject(value as object);
}

/** Every character takes at least a byte, but several invalid bytes may have become one U+FFFD. */
function shortestString(text: string): number {
  return text.includes('\ufffd') ? Number.NaN : text.length + 2;
}

/** Three zeros at the end could be written shorter, as an exponent; fractions are rare: not certain. */
function shortestNumber(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) return Number.NaN;
  if (value >= 1e9 && value < 1e10 && value % 1000 !== 0) return 10;
  return value !== 0 && value % 1000 === 0 ? Number.NaN : String(value).length;
}

function shortestObject(value: object): number {
  // Brackets, and one comma fewer than there are members.
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

/** Expects a text that `JSON.parse` has accepted. Without recursion: depth is the sender's choice. */
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
  // Two spellings of one name ("a", "\u0061") are one name.
  const name = JSON.parse(literal) as string;
  if (name === '__proto__' || names?.has(name) !== false) {
    throw new Error('an object has an ambiguous member name');
  }
  names.add(name);
}

// Typed here, so that the package's types do not need @types/passport-jwt.
const PassportJwtStrategy = Strategy as unknown as new (
  options: Readonly<Record<string, unknown>>,
  verified: (payload: unknown, done: (error: null, payload: unknown) => void) => void,
) => { authenticate(question: SignatureQuestion): void };

/** What passport-jwt is asked here, in place of a request. */
interface SignatureQuestion {
  readonly token: string;
  readonly key: KeyObject;
}

/** passport-jwt for one token and one key. It answers before `authenticate` returns. */
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
        // These take effect only here: under jsonWebTokenOptions they would be overwritten.
        ...options,
        ignoreExpiration: true,
        // Time is judged by the library's one clock.
        jsonWebTokenOptions: { ignoreNotBefore: true },
      },
      (payload, done) => done(null, payload),
    );
  }

  /**
   * The payload of a token that this key signed.
   *
   * @throws AuthUnauthorizedException `token_invalid` where the signature, the issuer or the audience is
   * wrong, else `token_malformed`. jsonwebtoken throws a TypeError or SyntaxError at some tokens: that
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
