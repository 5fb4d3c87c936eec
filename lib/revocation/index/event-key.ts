import { hash } from 'node:crypto';
import type { RevocationKind } from '../../database/entities/revocation-event.entity.js';

// Read once, because in the sandbox of a test runner each access to a global costs a microsecond.
const { stringify } = JSON;

/** The value of each UTF-16 unit as a lower-case hexadecimal digit; -1 for any other unit. */
const DIGITS = new Int8Array(0x10000).fill(-1);
for (let digit = 0; digit < 16; digit++) DIGITS[digit.toString(16).charCodeAt(0)] = digit;

const DASH = 0x2d;
const UUID_LENGTH = 36;
const KEY_LENGTH = 32;

/**
 * Four hexadecimal digits as a number. It is negative if one of them is no digit, because -1 stays
 * negative when shifted.
 */
function quad(text: string, at: number): number {
  return (
    (DIGITS[text.charCodeAt(at)]! << 12) |
    (DIGITS[text.charCodeAt(at + 1)]! << 8) |
    (DIGITS[text.charCodeAt(at + 2)]! << 4) |
    DIGITS[text.charCodeAt(at + 3)]!
  );
}

/**
 * Parses a canonical lower-case UUID into `out`. Returns false, and leaves `out` as it was, for any
 * other text. It has no loops and allocates nothing, because it is the most expensive part of a
 * look-up.
 */
function parseUuid(text: string, out: Uint32Array): boolean {
  if (text.length !== UUID_LENGTH) return false;
  if (text.charCodeAt(8) !== DASH || text.charCodeAt(13) !== DASH) return false;
  if (text.charCodeAt(18) !== DASH || text.charCodeAt(23) !== DASH) return false;
  const a = quad(text, 0);
  const b = quad(text, 4);
  const c = quad(text, 9);
  const d = quad(text, 14);
  const e = quad(text, 19);
  const f = quad(text, 24);
  const g = quad(text, 28);
  const h = quad(text, 32);
  if ((a | b | c | d | e | f | g | h) < 0) return false;
  out[0] = (a << 16) | b;
  out[1] = (c << 16) | d;
  out[2] = (e << 16) | f;
  out[3] = (g << 16) | h;
  return true;
}

/**
 * Parses a key of the log, 32 lower-case hexadecimal digits, into four words. Returns false, and leaves
 * `out` as it was, for any other text.
 */
export function parseHexKey(hex: string, out: Uint32Array): boolean {
  if (hex.length !== KEY_LENGTH) return false;
  const a = quad(hex, 0);
  const b = quad(hex, 4);
  const c = quad(hex, 8);
  const d = quad(hex, 12);
  const e = quad(hex, 16);
  const f = quad(hex, 20);
  const g = quad(hex, 24);
  const h = quad(hex, 28);
  if ((a | b | c | d | e | f | g | h) < 0) return false;
  out[0] = (a << 16) | b;
  out[1] = (c << 16) | d;
  out[2] = (e << 16) | f;
  out[3] = (g << 16) | h;
  return true;
}

/** Four words as 32 lower-case hexadecimal digits. */
export function formatHexKey(key: Uint32Array): string {
  let hex = '';
  for (let i = 0; i < 4; i++) hex += key[i]!.toString(16).padStart(8, '0');
  return hex;
}

/**
 * SHA-256 over a list of texts, cut to 128 bits.
 *
 * The input is a JSON array, which is unambiguous and escapes lone surrogates. Plain UTF-8 would
 * replace all of them by the same character, so that revoking one foreign token could refuse
 * another.
 */
function digest(json: string): string {
  return hash('sha256', json, 'hex').slice(0, KEY_LENGTH);
}

/** The part of a digest's input before the id; the JSON of the id and `]` follow. */
function digestPrefix(kind: RevocationKind, issuer: string): string {
  return `["nestjs-logout/event-key","${kind}",${stringify(issuer)},`;
}

/**
 * A group of sessions of our issuer that are revoked together: those of one client of an account,
 * or of one grant.
 */
export type SessionScope =
  { readonly subject: string; readonly client: string } | { readonly grant: string };

/** The cached keys of one token. Each is computed when it is first needed. */
export class TokenKeys {
  token: Uint32Array | undefined = undefined;
  session: Uint32Array | undefined = undefined;
  subject: Uint32Array | undefined = undefined;
}

/**
 * Makes the 128-bit keys of events in the log and in the index (W2).
 *
 * - An id that we made (the `jti` or `sid` of our own issuer, a canonical UUID) is random already.
 *   The key is its 128 bits XOR a salt of kind and issuer, so that a `jti` and a `sid` of equal
 *   text differ. Such a key cannot collide, and a request computes no hash.
 * - Anything else (subjects, kids, and **every** id of a foreign issuer) is the first half of
 *   SHA-256 over kind, issuer and id. A foreign id never takes the UUID path: the salt is not
 *   secret, so a foreign issuer could choose a `jti` that has one of our keys.
 *
 * Ids are compared exactly: another case, another Unicode normalisation or a trailing space makes
 * another id. The key of a `key` event is computed from the issuer (`''` for every issuer) and the
 * kid. An `issuer` event has the id `''`.
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

  /**
   * Writes the key of (kind, issuer, id) into `out`. It allocates nothing for an id that this
   * library made.
   */
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
    parseHexKey(digest(`${prefix}${stringify(id)}]`), out);
  }

  /**
   * The key of (kind, issuer, id). With `kept` it is cached there. Otherwise it is in `scratch`
   * until the next call.
   */
  of(
    kind: keyof TokenKeys,
    issuer: string,
    id: string,
    scratch: Uint32Array,
    kept: TokenKeys | undefined,
  ): Uint32Array {
    const out = kept === undefined ? scratch : (kept[kind] = new Uint32Array(4));
    this.write(kind, issuer, id, out);
    return out;
  }

  /** The key of (kind, issuer, id) as 32 lower-case hexadecimal digits, as the log stores it. */
  hex(kind: RevocationKind, issuer: string, id: string): string {
    this.write(kind, issuer, id, this.scratch);
    return formatHexKey(this.scratch);
  }

  /**
   * The key of the cut-off of a scope of our issuer, in the format of {@link hex}. No token has
   * such a key.
   */
  hexOfScope(scope: SessionScope): string {
    const { ownIssuer } = this;
    return digest(
      stringify([
        'nestjs-logout/event-key',
        ...('grant' in scope
          ? ['grant', ownIssuer, scope.grant]
          : ['client', ownIssuer, scope.subject, scope.client]),
      ]),
    );
  }

  private salt(kind: 'token' | 'session'): Uint32Array {
    const salt = new Uint32Array(4);
    // The first element differs from that of keys, so no id has the salt as its key.
    parseHexKey(digest(stringify(['nestjs-logout/uuid-salt', kind, this.ownIssuer])), salt);
    return salt;
  }
}
