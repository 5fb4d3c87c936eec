import { DigestTable, type DigestTableOptions } from './digest-table.js';

// Read once: in the sandbox of a test runner every access to a global costs a microsecond.
const { floor } = Math;

/** The payload of a watermark, in words. A limit takes two: positions reach 2^53. */
const TOP = 0;
const SECOND = 2;
const EXCEPTION = 4;
/** The note of the event of `TOP` in the low byte, of that of `SECOND` in the next one. */
const NOTES = 8;
const PAYLOAD = 9;

const NO_EXCEPTION = new Uint32Array(4);

/**
 * The watermark of each account (or issuer): the combined effect of its events (G4).
 *
 * An event revokes every token whose number (its `gen`, or its `iat` in seconds) is below a limit, except
 * those of at most one session. A token is revoked if **any** event revokes it, in whatever order they
 * arrive. "The latest wins" would revive tokens: the session S ends all others, then the session T, which
 * has not heard of it, ends all others. Three values are enough for any number of events:
 *
 * - `top`: the highest limit;
 * - `exception`: the session that the event with this limit spares, if any;
 * - `second`: the highest limit of the events that spare another session, or none.
 *
 * The spared session is judged by `second`, every other one by `top`. If two events have the same limit
 * and different exceptions, `second` equals `top`. Neither limit ever falls, so a watermark is monotone.
 */
export class MarkTable {
  /** An entry for each account with a watermark. */
  readonly table: DigestTable;

  constructor(options: Omit<DigestTableOptions, 'payload'> = {}) {
    this.table = new DigestTable({ ...options, payload: PAYLOAD });
  }

  /**
   * Adds an event that revokes what is below `limit`, except the session with the key `except`.
   *
   * The watermark expires with the last of its events.
   */
  add(
    key: Uint32Array,
    limit: number,
    except: Uint32Array | undefined,
    untilSeconds: number,
    note: number,
  ): void {
    const place = this.table.add(key, untilSeconds, 0);
    const words = this.table.wordsAt(place);
    const at = this.table.payloadAt(place);
    const spared = except ?? NO_EXCEPTION;
    const sameException = spares(words, at, spared);
    const top = limitIn(words, at + TOP);
    const notes = words[at + NOTES]!;
    if (limit > top) {
      if (!sameException) {
        setLimit(words, at + SECOND, top);
        words.set(spared, at + EXCEPTION);
      }
      setLimit(words, at + TOP, limit);
      words[at + NOTES] = (sameException ? notes & 0xff00 : (notes & 0xff) << 8) | note;
    } else if (!sameException && limit > limitIn(words, at + SECOND)) {
      setLimit(words, at + SECOND, limit);
      words[at + NOTES] = (notes & 0xff) | (note << 8);
    } else if (sameException && limit === top && (notes & 0xff) === 0) {
      words[at + NOTES] = notes | note;
    }
  }

  /** Whether the watermark at a place spares a session. */
  hasException(place: number): boolean {
    return !spares(this.table.wordsAt(place), this.table.payloadAt(place), NO_EXCEPTION);
  }

  /**
   * The note of the event that revokes a token, or -1.
   *
   * A token without a number (`NaN`) is below every limit: nothing shows that it is newer.
   *
   * @param session - The token's session, where the watermark {@link hasException}.
   */
  judge(place: number, value: number, session: Uint32Array | undefined): number {
    const words = this.table.wordsAt(place);
    const at = this.table.payloadAt(place);
    const isSpared = session !== undefined && spares(words, at, session);
    const limit = limitIn(words, at + (isSpared ? SECOND : TOP));
    if (limit === 0 || value >= limit) return -1;
    return (words[at + NOTES]! >>> (isSpared ? 8 : 0)) & 0xff;
  }
}

function limitIn(words: Uint32Array, at: number): number {
  return words[at]! * 2 ** 32 + words[at + 1]!;
}

function setLimit(words: Uint32Array, at: number, limit: number): void {
  words[at] = floor(limit / 2 ** 32);
  words[at + 1] = limit % 2 ** 32;
}

function spares(words: Uint32Array, at: number, session: Uint32Array): boolean {
  for (let i = 0; i < 4; i++) {
    if (words[at + EXCEPTION + i] !== session[i]) return false;
  }
  return true;
}
