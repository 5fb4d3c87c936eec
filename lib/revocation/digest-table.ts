import { randomFillSync } from 'node:crypto';

// Taken once: in the sandbox of a test runner every look at a global costs a microsecond.
const { imul, floor, max, min } = Math;

/** An entry's `until` that never comes. */
export const FOREVER = 0xffffffff;

/** The words of a slot before its payload: the key's four and `until`. */
const KEY_AND_UNTIL = 5;
const UNTIL = 4;
/** The note byte: the low bits are the caller's, the highest says "told again since `unsee()`". */
const SEEN = 0x80;
const NOTE = 0x7f;

const FIRST_CAPACITY = 8;
/** At 0.8 a miss walks 13 tags on average, in one or two cache lines; at 0.9 it would be 50. */
const MAX_LOAD = 0.8;
/** Not 2: a table that has just doubled is half empty, and the mean entry pays for that. */
const GROWTH = 1.5;
/** Below the first, a swept shard gives memory back and is left at the second: no flapping. */
const MIN_LOAD = 0.3;
const LOAD_AFTER_SHRINKING = 0.6;

/** One small open-addressing table. */
class Shard {
  count = 0;
  /** No entry expires before this; so a sweep can pass by. */
  earliest = FOREVER;
  /** 0 = the slot is free. */
  readonly tags: Uint8Array;
  readonly notes: Uint8Array;
  readonly words: Uint32Array;

  constructor(
    readonly capacity: number,
    stride: number,
  ) {
    this.tags = new Uint8Array(capacity);
    this.notes = new Uint8Array(capacity);
    this.words = new Uint32Array(capacity * stride);
  }

  get byteLength(): number {
    return this.tags.byteLength + this.notes.byteLength + this.words.byteLength;
  }

  get full(): boolean {
    return this.count + 1 > this.capacity * MAX_LOAD;
  }
}

/** The tags of a shard that is not there. */
const NO_TAGS = new Uint8Array(1);

/** How a {@link DigestTable} is laid out; the defaults suit millions of entries. */
export interface DigestTableOptions {
  /** Words of payload beside each entry, zero at first. */
  readonly payload?: number;
  /** The number of shards is 2 to this power, 1 to 16: about the number of entries / 500. */
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
 * one-byte tags and, 254 times of 255, no key at all. A removed entry leaves no tombstone: those behind
 * it move up.
 *
 * Only time removes an entry, never the number of entries.
 *
 * A *place* that `find` or `add` returned is good until the next `add` or `sweep`.
 */
export class DigestTable {
  private readonly shards: (Shard | undefined)[] = [];
  /** The tags of each shard once more: a miss ends here, one pointer earlier. */
  private readonly tags: Uint8Array[] = [];
  private readonly stride: number;
  private readonly shardCount: number;
  private readonly shardBits: number;
  private readonly seed: readonly [number, number, number, number];
  private entries = 0;
  private bytes = 0;
  private cursor = 0;
  private now = 0;

  constructor(options: DigestTableOptions = {}) {
    this.stride = KEY_AND_UNTIL + (options.payload ?? 0);
    this.shardBits = options.shardBits ?? 11;
    this.shardCount = 2 ** this.shardBits;
    // Unknown outside of this process: nobody can aim many ids at one shard or one run of slots.
    const seed = options.seed ?? randomFillSync(new Uint32Array(4));
    this.seed = [seed[0]! | 0, seed[1]! | 0, seed[2]! | 0, seed[3]! | 0];
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
    const hash = this.hash(a, b, c, d);
    const index = hash >>> (32 - this.shardBits);
    const slot = this.seek(index, hash, a, b, c, d);
    return slot < 0 ? -1 : slot * this.shardCount + index;
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
    const hash = this.hash(a, b, c, d);
    const index = hash >>> (32 - this.shardBits);
    if (this.shards.length === 0) this.open();
    const slot = this.seek(index, hash, a, b, c, d);
    if (slot >= 0) {
      this.merge(this.shards[index]!, slot, untilSeconds, note);
      return slot * this.shardCount + index;
    }
    const shard = this.shardWithRoom(index);
    const free = ~this.seek(index, hash, a, b, c, d);
    const at = free * this.stride;
    shard.words.set(key, at);
    shard.words[at + UNTIL] = untilSeconds;
    shard.words.fill(0, at + KEY_AND_UNTIL, at + this.stride);
    shard.tags[free] = tagOf(hash, d);
    shard.notes[free] = note | SEEN;
    shard.count++;
    shard.earliest = min(shard.earliest, untilSeconds);
    this.entries++;
    return free * this.shardCount + index;
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

  /** Forgets which entries were told; every later `add` tells one again (2 ms for a million). */
  unsee(): void {
    for (const shard of this.shards) {
      if (shard === undefined) continue;
      const { notes } = shard;
      for (let slot = 0; slot < notes.length; slot++) notes[slot]! &= NOTE;
    }
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

  private merge(shard: Shard, slot: number, untilSeconds: number, note: number): void {
    const at = slot * this.stride + UNTIL;
    shard.words[at] = max(shard.words[at]!, untilSeconds);
    const old = shard.notes[slot]! & NOTE;
    shard.notes[slot] = (old === 0 ? note : old) | SEEN;
  }

  /** The slot of a key, or the complement of the free slot at which the search for it ended. */
  private seek(index: number, hash: number, a: number, b: number, c: number, d: number): number {
    const tags = this.tags[index]!;
    const tag = tagOf(hash, d);
    for (let slot = this.home(hash, tags.length); ;) {
      const found = tags[slot];
      if (found === 0) return ~slot;
      if (found === tag) {
        const { words } = this.shards[index]!;
        const at = slot * this.stride;
        if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) {
          return slot;
        }
      }
      if (++slot === tags.length) slot = 0;
    }
  }

  private hash(a: number, b: number, c: number, d: number): number {
    const seed = this.seed;
    let h = imul(a ^ seed[0], 0x9e3779b1);
    h = imul(h ^ (h >>> 15) ^ b ^ seed[1], 0x85ebca6b);
    h = imul(h ^ (h >>> 13) ^ c ^ seed[2], 0xc2b2ae35);
    h = imul(h ^ (h >>> 16) ^ d ^ seed[3], 0x27d4eb2f);
    h = imul(h ^ (h >>> 15), 0x85ebca6b);
    return h ^ (h >>> 13);
  }

  /** The bits below the shard's, as a fraction of the capacity: that need not be a power of two. */
  private home(hash: number, capacity: number): number {
    return (((hash << this.shardBits) >>> 0) * capacity * 2 ** -32) | 0;
  }

  private shardWithRoom(index: number): Shard {
    let shard = this.shards[index];
    // What has expired makes room first: memory is bounded by what is live, however rare the sweeps.
    if (shard?.full && shard.earliest < this.now) {
      this.sweepShard(index, shard);
      shard = this.shards[index];
    }
    if (shard === undefined) return this.resize(index, undefined, FIRST_CAPACITY);
    return shard.full ? this.resize(index, shard, Math.ceil(shard.capacity * GROWTH)) : shard;
  }

  private resize(index: number, old: Shard | undefined, capacity: number): Shard {
    const shard = new Shard(capacity, this.stride);
    if (old !== undefined) {
      for (let slot = 0; slot < old.capacity; slot++) {
        if (old.tags[slot] !== 0) this.move(old, slot, shard);
      }
      shard.count = old.count;
      shard.earliest = old.earliest;
      this.bytes -= old.byteLength;
    }
    this.bytes += shard.byteLength;
    this.shards[index] = shard;
    this.tags[index] = shard.tags;
    return shard;
  }

  /** Not before the first entry: a table that stays empty costs nothing. */
  private open(): void {
    for (let index = 0; index < this.shardCount; index++) {
      this.shards.push(undefined);
      this.tags.push(NO_TAGS);
    }
  }

  private move(from: Shard, slot: number, to: Shard): void {
    let target = this.home(this.hashOf(from, slot), to.capacity);
    while (to.tags[target] !== 0) target = target + 1 === to.capacity ? 0 : target + 1;
    this.copy(from, slot, to, target);
  }

  private copy(from: Shard, slot: number, to: Shard, target: number): void {
    to.tags[target] = from.tags[slot]!;
    to.notes[target] = from.notes[slot]!;
    const source = slot * this.stride;
    const sink = target * this.stride;
    for (let i = 0; i < this.stride; i++) to.words[sink + i] = from.words[source + i]!;
  }

  private sweepShard(index: number, shard: Shard): void {
    let earliest = FOREVER;
    for (let slot = 0; slot < shard.capacity;) {
      const until = shard.words[slot * this.stride + UNTIL]!;
      if (shard.tags[slot] === 0) slot++;
      else if (until < this.now) this.remove(shard, slot);
      else {
        if (until < earliest) earliest = until;
        slot++;
      }
    }
    shard.earliest = earliest;
    if (shard.count === 0) {
      this.bytes -= shard.byteLength;
      this.shards[index] = undefined;
      this.tags[index] = NO_TAGS;
    } else if (shard.count < shard.capacity * MIN_LOAD && shard.capacity > FIRST_CAPACITY) {
      const fit = Math.ceil(shard.count / LOAD_AFTER_SHRINKING);
      this.resize(index, shard, max(FIRST_CAPACITY, fit));
    }
  }

  /** Empties a slot; what follows it moves up as far as its own home allows. */
  private remove(shard: Shard, slot: number): void {
    const { capacity, tags } = shard;
    let hole = slot;
    for (let next = slot; ;) {
      if (++next === capacity) next = 0;
      if (tags[next] === 0) break;
      const home = this.home(this.hashOf(shard, next), capacity);
      const fromHome = next >= home ? next - home : next - home + capacity;
      const fromHole = next >= hole ? next - hole : next - hole + capacity;
      if (fromHome < fromHole) continue;
      this.copy(shard, next, shard, hole);
      hole = next;
    }
    tags[hole] = 0;
    shard.count--;
    this.entries--;
  }

  private hashOf({ words }: Shard, slot: number): number {
    const at = slot * this.stride;
    return this.hash(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
  }

  private shardAt(place: number): Shard {
    return this.shards[place % this.shardCount]!;
  }

  private slotAt(place: number): number {
    return floor(place / this.shardCount);
  }
}

/** One byte, never 0, from bits that neither shard nor slot were taken from. */
function tagOf(hash: number, d: number): number {
  return imul(hash ^ d, 0x9e3779b1) >>> 24 || 1;
}
