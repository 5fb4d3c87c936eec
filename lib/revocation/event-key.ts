import { hash } from 'node:crypto';
import type { RevocationKind } from './revocation-event.js';

/** What every hexadecimal digit is worth; `BAD` for all that is none (upper-case letters included). */
const BAD = 0x100;
const DIGITS = new Uint16Array(256).fill(BAD);
for (let digit = 0; digit < 16; digit++) DIGITS[digit.toString(16).charCodeAt(0)] = digit;

const DASH = 0x2d;
const UUID_LENGTH = 36;
const KEY_LENGTH = 32;

/** Eight digits from `at` on as one word; what is not a digit leaves bits at or above `BAD` in `seen`. */
let seen = 0;
function word(text: string, at: number): number {
  return (digits(text, at) << 16) | digits(text, at + 4);
}

function digits(text: string, at: number): number {
  const a = digit(text.charCodeAt(at));
  const b = digit(text.charCodeAt(at + 1));
  const c = digit(text.charCodeAt(at + 2));
  const d = digit(text.charCodeAt(at + 3));
  seen |= a | b | c | d;
  return (a << 12) | (b << 8) | (c << 4) | d;
}

/** A character above 255 keeps its high bits, so that it can never pass for the digit below it. */
function digit(code: number): number {
  return DIGITS[code & 0xff]! | (code & 0xff00);
}

/** Fills `out` with the bytes of a canonical lower-case UUID; false, and `out` is spoilt, if it is none. */
function parseUuid(text: string, out: Uint32Array): boolean {
  if (text.length !== UUID_LENGTH) return false;
  if (text.charCodeAt(8) !== DASH || text.charCodeAt(13) !== DASH) return false;
  if (text.charCodeAt(18) !== DASH || text.charCodeAt(23) !== DASH) return false;
  seen = 0;
  out[0] = word(text, 0);
  out[1] = (digits(text, 9) << 16) | digits(text, 14);
  out[2] = (digits(text, 19) << 16) | digits(text, 24);
  out[3] = word(text, 28);
  return seen < BAD;
}

/**
 * Reads a key as the log holds it, 32 lower-case hexadecimal digits, into four words.
 *
 * Returns false, with `out` in no useful state, for any other text.
 */
export function parseHexKey(hex: string, out: Uint32Array): boolean {
  if (hex.length !== KEY_LENGTH) return false;
  seen = 0;
  out[0] = word(hex, 0);
  out[1] = word(hex, 8);
  out[2] = word(hex, 16);
  out[3] = word(hex, 24);
  return seen < BAD;
}

/** The other way: four words as 32 lower-case hexadecimal digits. */
export function formatHexKey(key: Uint32Array): string {
  let hex = '';
  for (let i = 0; i < 4; i++) hex += key[i]!.toString(16).padStart(8, '0');
  return hex;
}

/**
 * SHA-256 over a list of texts, cut to 128 bits.
 *
 * A JSON array is unambiguous (every text says itself where it ends) and, unlike UTF-8, exact for lone
 * surrogates, which JSON escapes: UTF-8 would turn all of them into the same replacement character, and
 * one foreign token could be refused for another.
 */
function digest(json: string): string {
  return hash('sha256', json, 'hex').slice(0, KEY_LENGTH);
}

/** The part of a digest's input that does not depend on the id; the id's JSON and `]` follow. */
function digestPrefix(kind: RevocationKind, issuer: string): string {
  return `["nestjs-logout/event-key","${kind}",${JSON.stringify(issuer)},`;
}

/**
 * Makes the 128-bit keys by which events are known in the log and in the index (protocol W2).
 *
 * - An id that we made (a token's `jti` or a session's `sid` of our own issuer, a canonical UUID) is
 *   random already: its 128 bits are kept whole, so the answer is exact, and no hash is computed during
 *   a request. Kind and issuer are folded in by a salt, so that a jti and a sid of equal text differ.
 * - Anything else is the first half of SHA-256 over kind, issuer and id: subjects, kids, and **every**
 *   id of a foreign issuer. A foreign id must never take the UUID path: there the key is the id XOR a
 *   constant that anybody can compute, and a foreign signer could choose the jti that lands on one of
 *   our keys.
 *
 * Ids are compared as they are: another case, another Unicode normalisation or a trailing blank is
 * another id. `key` events take issuer `''` and the kid; `issuer` events take id `''`.
 */
export class EventKeys {
  private readonly salts: Readonly<Record<'token' | 'session', Uint32Array>>;
  private readonly prefixes: Readonly<Record<RevocationKind, string>>;
  private readonly scratch = new Uint32Array(4);

  constructor(readonly ownIssuer: string) {
    this.salts = { token: this.salt('token'), session: this.salt('session') };
    this.prefixes = {
      token: digestPrefix('token', ownIssuer),
      session: digestPrefix('session', ownIssuer),
      subject: digestPrefix('subject', ownIssuer),
      key: digestPrefix('key', ownIssuer),
      issuer: digestPrefix('issuer', ownIssuer),
    };
  }

  /** Writes the key of (kind, issuer, id) into `out`; nothing is allocated for an id that we made. */
  write(kind: RevocationKind, issuer: string, id: string, out: Uint32Array): void {
    const own = issuer === this.ownIssuer;
    if (own && (kind === 'token' || kind === 'session') && parseUuid(id, out)) {
      const salt = kind === 'token' ? this.salts.token : this.salts.session;
      out[0]! ^= salt[0]!;
      out[1]! ^= salt[1]!;
      out[2]! ^= salt[2]!;
      out[3]! ^= salt[3]!;
      return;
    }
    const prefix = own ? this.prefixes[kind] : digestPrefix(kind, issuer);
    parseHexKey(digest(`${prefix}${JSON.stringify(id)}]`), out);
  }

  /** The key of (kind, issuer, id) as the log holds it: 32 lower-case hexadecimal digits. */
  hex(kind: RevocationKind, issuer: string, id: string): string {
    this.write(kind, issuer, id, this.scratch);
    return formatHexKey(this.scratch);
  }

  private salt(kind: 'token' | 'session'): Uint32Array {
    const salt = new Uint32Array(4);
    // The first element keeps the salts apart from every key.
    parseHexKey(digest(JSON.stringify(['nestjs-logout/uuid-salt', kind, this.ownIssuer])), salt);
    return salt;
  }
}
