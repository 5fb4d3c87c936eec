import { randomFillSync } from 'node:crypto';
import { DigestHash, DigestShard, KEY_AND_UNTIL, UNTIL } from './digest-shard.js';

// Taken once: in the sandbox of a test runner every look at a global costs a microsecond.
const { ceil, floor, max, min } = Math;

/** The note byte: the low bits are the caller's, the highest says "told again since `unsee()`". */
const SEEN = 0x80;
const NOTE = 0x7f;

const FIRST_CAPACITY = 8;
/** Not 2: a table that has just doubled is half empty, and the mean entry pays for that. */
const GROWTH = 1.5;
/** Below the first, a swept shard gives memory back and is left at the second: no flapping. */
const MIN_LOAD = 0.3;
const LOAD_AFTER_SHRINKING = 0.6;

/** The tags of a shard that is not there. */
const NO_TAGS = new Uint8Array(1);

/** How a {@link DigestTable} is laid out; the defaults suit millions of entries. */
export interface DigestTableOptions {
  /** Words of payload beside each entry, zero at first. */
  readonly payload?: number;
  /**
   * The number of shards is 2 to this power, 1 to 16. More of them make growing and sweeping steps
   * shorter but spread the tags over more pages: at a million entries a miss took 1.6 times as long
   * with 2,048 shards as with 1,024, whose steps are short enough.
   */
  readonly shardBits?: number;
  /** For tests: the four words that are mixed into every hash. */
  readonly seed?: Uint32Array;
}

/**
 * A set of 128-bit keys, each with a time until which it counts, a small number and, where asked for, a
 * few words of payload.
 *
 * It is asked on every request, so it is neither a `Map` (a hash of a fresh string each time, a pause of
 * tens of milliseconds when it grows, everything on the collected heap) nor one large table: typed
 * arrays in many small shards, none of which takes long to grow or to sweep. A miss reads a few
 * one-byte tags and, 254 times of 255, no key at all.
 *
 * Only time removes an entry, never the number of entries.
 *
 * A *place* that `find` or `add` returned is good until the next `add` or `sweep`.
 */
export class DigestTable {
  private readonly shards: (DigestShard | undefined)[] = [];
  /** The tags of each shard once more: a miss ends here, one pointer earlier. */
  private readonly tags: Uint8Array[] = [];
  private readonly stride: number;
  private readonly shardCount: number;
  private readonly hash: DigestHash;
  private entries = 0;
  private bytes = 0;
  private cursor = 0;
  private now = 0;

  constructor(options: DigestTableOptions = {}) {
    const shardBits = options.shardBits ?? 10;
    this.stride = KEY_AND_UNTIL + (options.payload ?? 0);
    this.shardCount = 2 ** shardBits;
    this.hash = new DigestHash(shardBits, options.seed ?? randomFillSync(new Uint32Array(4)));
  }

  /** The number of entries, expired ones that were not swept yet included. */
  get size(): number {
    return this.entries;
  }

  /** The bytes of all its typed arrays. */
  get byteLength(): number {
    return this.bytes;
  }

  /** The place of a key, or -1. Allocates nothing, does not look at the time. */
  find(key: Uint32Array): number {
    if (this.entries === 0) return -1;
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
   * Adds a key or merges into the entry that is there, and returns its place.
   *
   * Merged, an entry lives until the later of the two times, and keeps its note unless that is 0
   * ("unspecified"): what ended a token first is the truth about it, and a retry that knows less must
   * not change what the token's holder is told.
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
    this.entries++;
    return this.place(index, slot);
  }

  /** The note of the entry at a place. */
  noteAt(place: number): number {
    return this.shardAt(place).notes[this.slotAt(place)]! & NOTE;
  }

  /** Until when (seconds) the entry at a place counts. */
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
   * Drops entries whose time is over, shard after shard from where it last stopped, until about so many
   * slots were looked at; returns how many entries went. An entry lives through the second it names.
   */
  sweep(nowSeconds: number, slots: number): number {
    this.now = max(this.now, nowSeconds);
    if (this.entries === 0) return 0;
    const before = this.entries;
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
    return before - this.entries;
  }

  /** Forgets which entries were told; every later `add` tells one again. */
  unsee(): void {
    for (const shard of this.shards) {
      if (shard === undefined) continue;
      const { notes } = shard;
      for (let slot = 0; slot < notes.length; slot++) notes[slot]! &= NOTE;
    }
  }

  /** Whether the entry at a place was told since `unsee()`. */
  isSeenAt(place: number): boolean {
    return this.shardAt(place).notes[this.slotAt(place)]! >= SEEN;
  }

  /** How many entries that still count were not told since `unsee()`. */
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
    // What has expired makes room first: memory is bounded by what is live, however rare the sweeps.
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
    this.bytes += shard.byteLength - (old?.byteLength ?? 0);
    this.shards[index] = shard;
    this.tags[index] = shard.tags;
    return shard;
  }

  private sweepShard(index: number, shard: DigestShard): void {
    this.entries -= shard.count;
    shard.sweep(this.now);
    this.entries += shard.count;
    if (shard.count === 0) {
      this.bytes -= shard.byteLength;
      this.shards[index] = undefined;
      this.tags[index] = NO_TAGS;
    } else if (shard.count < shard.capacity * MIN_LOAD && shard.capacity > FIRST_CAPACITY) {
      this.resize(index, shard, max(FIRST_CAPACITY, ceil(shard.count / LOAD_AFTER_SHRINKING)));
    }
  }

  /** Not before the first entry: a table that stays empty costs nothing. */
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
