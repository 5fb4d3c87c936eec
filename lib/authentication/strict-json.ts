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
 * Whatever was written by `JSON.stringify` writes the same bytes again, which answers everything in
 * one comparison; what other serialisers wrote (blanks, escapes) goes the long way.
 *
 * @throws Error when the part is not strict.
 */
export function assertStrictSegment(value: unknown, segment: string): void {
  const json = JSON.stringify(value);
  // The first search finds nothing in nearly every token; a mere value of that name is told apart below.
  if (!json.includes('__proto__') && Buffer.from(json).toString('base64url') === segment) return;
  parseSegment(segment);
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
