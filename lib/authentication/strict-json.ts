import { isUtf8 } from 'node:buffer';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Used between two awaits only, so that a request allocates nothing for it. */
const SCRATCH = Buffer.allocUnsafeSlow(8192);

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
 * twice and none has the name `__proto__`.
 *
 * @throws Error when one of these does not hold.
 */
export function parseSegment(segment: string): unknown {
  const bytes = Buffer.from(segment, 'base64url');
  if (bytes.toString('base64url') !== segment) throw new Error('base64url is not canonical');
  const text = UTF8.decode(bytes);
  const value: unknown = JSON.parse(text);
  refuseAmbiguousNames(text);
  return value;
}

/**
 * The same question about a part that has been parsed already.
 *
 * Written so that the usual token is answered by counting: in a JSON text without a backslash every
 * quotation mark ends or begins a string, so if the text has exactly as many as the value has names
 * and strings, no member was lost in parsing. The rest goes the long way. (Serialising the value
 * again and comparing costs three times as much, and this is asked for each request.)
 *
 * @throws Error when the part is not strict.
 */
export function assertStrictSegment(value: object, segment: string): void {
  if (quotesOfText(segment) !== quotesOf(value)) parseSegment(segment);
}

/** The quotation marks of a text that is canonically spelt and simple; else -1. */
function quotesOfText(segment: string): number {
  if (segment.length > SCRATCH.length || !hasCanonicalEnd(segment)) return -1;
  const length = SCRATCH.write(segment, 'base64url');
  // The decoder skips foreign characters; then there are fewer bytes than digits for them.
  if (length !== (segment.length * 3) >> 2) return -1;
  let quotes = 0;
  let bits = 0;
  for (let index = 0; index < length; index += 1) {
    const byte = SCRATCH[index] as number;
    bits |= byte;
    if (byte === QUOTE) quotes += 1;
    else if (byte === BACKSLASH) return -1;
  }
  return bits < 0x80 || isUtf8(SCRATCH.subarray(0, length)) ? quotes : -1;
}

/** The quotation marks with which a parsed value is written; `NaN` for one that is never accepted. */
function quotesOf(value: object): number {
  let quotes = 0;
  if (Array.isArray(value)) {
    for (const element of value) quotes += quotesAround(element);
    return quotes;
  }
  for (const name in value) {
    if (name === '__proto__') return Number.NaN;
    quotes += 2 + quotesAround((value as Record<string, unknown>)[name]);
  }
  return quotes;
}

function quotesAround(value: unknown): number {
  if (typeof value === 'string') return 2;
  return typeof value === 'object' && value !== null ? quotesOf(value) : 0;
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
