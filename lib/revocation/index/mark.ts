import { DigestTable, type DigestTableOptions } from './digest-table.js';

// Read once, because in the sandbox of a test runner each access to a global costs a microsecond.
const { floor } = Math;

/**
 * The layout of the payload of a watermark, in 32-bit words. A limit takes two words, because
 * positions reach 2^53.
 */
const TOP = 0;
const SECOND = 2;
const EXCEPTION = 4;
/** The note of the event of `TOP` is in the low byte, that of `SECOND` in the next byte. */
const NOTES = 8;
const PAYLOAD = 9;

const NO_EXCEPTION = new Uint32Array(4);

/**
 * The watermark of each account (or issuer): the combined effect of its events (G4).
 *
 * An event revokes every token whose number (its `gen`, or its `iat` in seconds) is below a limit,
 * except those of at most one session. A token is revoked if **any** event revokes it, in whatever
 * order they arrive. If only the latest event counted, tokens would become valid again: session S
 * logs out all others, and then session T, on an instance that has not read that event yet, logs
 * out all others too. Both must be revoked. Three values are enough for any number of events:
 *
 * - `top`: the highest limit;
 * - `exception`: the session that the event with this limit does not revoke, if any;
 * - `second`: the highest limit of the events that have another exception, or none.
 *
 * The excepted session is compared with `second`, every other one with `top`. If two events have
 * the same limit and different exceptions, `second` equals `top`. Neither limit ever decreases, so
 * a revoked token stays revoked.
 */
export class MarkTable {
  /** One entry for each account with a watermark. */
  readonly table: DigestTable;

  constructor(options: Omit<DigestTableOptions, 'payload'> = {}) {
    this.table = new DigestTable({ ...options, payload: PAYLOAD });
  }

  /**
   * Adds an event that revokes every token below `limit`, except those of the session with the key
   * `except`.
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

  /** Whether the watermark at a place has an exception. */
  hasException(place: number): boolean {
    return !spares(this.table.wordsAt(place), this.table.payloadAt(place), NO_EXCEPTION);
  }

  /**
   * The note of the event that revokes a token, or -1.
   *
   * A token without a number (`NaN`) is below every limit, because nothing shows that it is newer.
   *
   * @param session - The key of the token's session, needed if the watermark {@link hasException}.
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
