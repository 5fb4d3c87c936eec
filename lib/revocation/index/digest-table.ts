import { randomFillSync } from 'node:crypto';
import { DigestHash, DigestShard, KEY_AND_UNTIL, UNTIL } from './digest-shard.js';

// Read once: in the sandbox of a test runner every access to a global costs a microsecond.
const { ceil, floor, max, min } = Math;

/** The note byte: the low bits belong to the caller, the highest means "seen again since `unsee()`". */
const SEEN = 0x80;
const NOTE = 0x7f;

const FIRST_CAPACITY = 8;
/** Not 2: a table that has just doubled is half empty. */
const GROWTH = 1.5;
/** A swept shard below the first load shrinks to the second, so that it does not grow again at once. */
const MIN_LOAD = 0.3;
const LOAD_AFTER_SHRINKING = 0.6;

/** The tags of a shard that does not exist. */
const NO_TAGS = new Uint8Array(1);

/** How a {@link DigestTable} is laid out; the defaults suit millions of entries. */
export interface DigestTableOptions {
  /** Words of payload beside each entry, zero at first. */
  readonly payload?: number;
  /**
   * There are 2 to this power shards, 1 to 16. With more of them, growing and sweeping take shorter steps,
   * but the tags are spread over more pages: at a million entries a miss took 1.6 times as long with
   * 2,048 shards as with 1,024.
   */
  readonly shardBits?: number;
  /** For tests: the four words that are mixed into every hash. */
  readonly seed?: Uint32Array;
}

/**
 * A set of 128-bit keys, each with an expiry, a small number (its note) and, if asked for, a few words of
 * payload.
 *
 * Every request asks it. A `Map` would hash a new string each time, pause for tens of milliseconds when
 * it grows, and fill the collected heap. This table consists of typed arrays in many small shards, each
 * of which grows and is swept quickly. A miss reads a few one-byte tags and, 254 times of 255, no key.
 *
 * Only expiry removes an entry, never the number of entries.
 *
 * A *place* that `find` or `add` returned is valid until the next `add` or `sweep`.
 */
export class DigestTable {
  /** The number of entries, expired ones that were not swept yet included. A field: each request reads it. */
  size = 0;
  /** The bytes of all its typed arrays. */
  byteLength = 0;

  private readonly shards: (DigestShard | undefined)[] = [];
  /** The tags of each shard once more: a miss ends here, one pointer earlier. */
  private readonly tags: Uint8Array[] = [];
  private readonly stride: number;
  private readonly shardCount: number;
  private readonly hash: DigestHash;
  private cursor = 0;
  private now = 0;

  constructor(options: DigestTableOptions = {}) {
    const shardBits = options.shardBits ?? 10;
    this.stride = KEY_AND_UNTIL + (options.payload ?? 0);
    this.shardCount = 2 ** shardBits;
    this.hash = new DigestHash(shardBits, options.seed ?? randomFillSync(new Uint32Array(4)));
  }

  /** The place of a key, or -1. Allocates nothing, does not look at the time. */
  find(key: Uint32Array): number {
    if (this.size === 0) return -1;
    const a = key[0]!;
    const b = key[1]!;
    const c = key[2]!;
    const d = key[3]!;
    const hash = this.hash.of(a, b, c, d);
    const index = this.hash.shard(hash);
    const slot = this.seek(index, hash, a, b, c, d);
    return slot < 0 ? -1 : this.place(index, slot);
  }

  /**
   * Adds a key, or merges it into the existing entry, and returns its place.
   *
   * A merged entry gets the later expiry. It keeps its note unless that is 0 ("unspecified"): the reason
   * of the first revocation is reported, and a retry without a reason must not replace it.
   */
  add(key: Uint32Array, untilSeconds: number, note: number): number {
    const a = key[0]!;
    const b = key[1]!;
    const c = key[2]!;
    const d = key[3]!;
    const hash = this.hash.of(a, b, c, d);
    const index = this.hash.shard(hash);
    if (this.shards.length === 0) this.open();
    const known = this.seek(index, hash, a, b, c, d);
    if (known >= 0) {
      this.merge(this.shards[index]!, known, untilSeconds, note);
      return this.place(index, known);
    }
    const shard = this.shardWithRoom(index);
    const slot = ~this.seek(index, hash, a, b, c, d);
    const at = slot * this.stride;
    shard.words.set(key, at);
    shard.words[at + UNTIL] = untilSeconds;
    shard.words.fill(0, at + KEY_AND_UNTIL, at + this.stride);
    shard.tags[slot] = this.hash.tag(hash, d);
    shard.notes[slot] = note | SEEN;
    shard.count++;
    shard.earliest = min(shard.earliest, untilSeconds);
    this.size++;
    return this.place(index, slot);
  }

  /** The note of an entry. */
  noteAt(place: number): number {
    return this.shardAt(place).notes[this.slotAt(place)]! & NOTE;
  }

  /** The expiry of an entry, in seconds. */
  untilAt(place: number): number {
    return this.shardAt(place).words[this.slotAt(place) * this.stride + UNTIL]!;
  }

  /** One word of an entry's payload. */
  payloadAt(place: number, word: number): number {
    return this.shardAt(place).words[this.slotAt(place) * this.stride + KEY_AND_UNTIL + word]!;
  }

  /** Changes one word of an entry's payload. */
  setPayloadAt(place: number, word: number, value: number): void {
    this.shardAt(place).words[this.slotAt(place) * this.stride + KEY_AND_UNTIL + word] = value;
  }

  /**
   * Removes expired entries, shard by shard from where the last sweep stopped, until it has looked at
   * about so many slots. Returns how many it removed. An entry counts through the second of its expiry.
   */
  sweep(nowSeconds: number, slots: number): number {
    this.now = max(this.now, nowSeconds);
    if (this.size === 0) return 0;
    const before = this.size;
    let left = slots;
    for (let visited = 0; visited < this.shardCount && left > 0; visited++) {
      const index = this.cursor;
      this.cursor = (index + 1) % this.shardCount;
      const shard = this.shards[index];
      left--;
      if (shard === undefined || shard.earliest >= this.now) continue;
      left -= shard.capacity;
      this.sweepShard(index, shard);
    }
    return before - this.size;
  }

  /** Marks all entries as not seen; each later `add` marks one as seen. */
  unsee(): void {
    for (const shard of this.shards) {
      if (shard === undefined) continue;
      const { notes } = shard;
      for (let slot = 0; slot < notes.length; slot++) notes[slot]! &= NOTE;
    }
  }

  /** Whether an entry was seen since `unsee()`. */
  isSeenAt(place: number): boolean {
    return this.shardAt(place).notes[this.slotAt(place)]! >= SEEN;
  }

  /** How many live entries were not seen since `unsee()`. */
  countUnseen(nowSeconds: number): number {
    let unseen = 0;
    for (const shard of this.shards) {
      if (shard === undefined) continue;
      const { tags, notes, words } = shard;
      for (let slot = 0; slot < tags.length; slot++) {
        if (tags[slot] === 0 || notes[slot]! >= SEEN) continue;
        if (words[slot * this.stride + UNTIL]! >= nowSeconds) unseen++;
      }
    }
    return unseen;
  }

  private merge(shard: DigestShard, slot: number, untilSeconds: number, note: number): void {
    const at = slot * this.stride + UNTIL;
    shard.words[at] = max(shard.words[at]!, untilSeconds);
    const old = shard.notes[slot]! & NOTE;
    shard.notes[slot] = (old === 0 ? note : old) | SEEN;
  }

  /** The slot of a key, or the complement of the free slot at which the search for it ended. */
  private seek(index: number, hash: number, a: number, b: number, c: number, d: number): number {
    const tags = this.tags[index]!;
    const tag = this.hash.tag(hash, d);
    for (let slot = this.hash.home(hash, tags.length); ;) {
      const found = tags[slot];
      if (found === 0) return ~slot;
      if (found === tag) {
        const { words } = this.shards[index]!;
        const at = slot * this.stride;
        const same = words[at] === a && words[at + 1] === b && words[at + 2] === c;
        if (same && words[at + 3] === d) return slot;
      }
      if (++slot === tags.length) slot = 0;
    }
  }

  private shardWithRoom(index: number): DigestShard {
    let shard = this.shards[index];
    // Expired entries make room first, so that rare sweeps do not make the table grow.
    if (shard?.full && shard.earliest < this.now) {
      this.sweepShard(index, shard);
      shard = this.shards[index];
    }
    if (shard === undefined) return this.resize(index, undefined, FIRST_CAPACITY);
    return shard.full ? this.resize(index, shard, ceil(shard.capacity * GROWTH)) : shard;
  }

  private resize(index: number, old: DigestShard | undefined, capacity: number): DigestShard {
    const shard = new DigestShard(capacity, this.stride, this.hash);
    if (old !== undefined) shard.takeAll(old);
    this.byteLength += shard.byteLength - (old?.byteLength ?? 0);
    this.shards[index] = shard;
    this.tags[index] = shard.tags;
    return shard;
  }

  private sweepShard(index: number, shard: DigestShard): void {
    this.size -= shard.count;
    shard.sweep(this.now);
    this.size += shard.count;
    if (shard.count === 0) {
      this.byteLength -= shard.byteLength;
      this.shards[index] = undefined;
      this.tags[index] = NO_TAGS;
    } else if (shard.count < shard.capacity * MIN_LOAD && shard.capacity > FIRST_CAPACITY) {
      this.resize(index, shard, max(FIRST_CAPACITY, ceil(shard.count / LOAD_AFTER_SHRINKING)));
    }
  }

  /** Called at the first entry: an empty table costs nothing. */
  private open(): void {
    for (let index = 0; index < this.shardCount; index++) {
      this.shards.push(undefined);
      this.tags.push(NO_TAGS);
    }
  }

  private place(index: number, slot: number): number {
    return slot * this.shardCount + index;
  }

  private shardAt(place: number): DigestShard {
    return this.shards[place % this.shardCount]!;
  }

  private slotAt(place: number): number {
    return floor(place / this.shardCount);
  }
}
