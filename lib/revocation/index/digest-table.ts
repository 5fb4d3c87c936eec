import { randomFillSync } from 'node:crypto';
import {
  copyAll,
  countUnseenIn,
  type DigestShard,
  FIRST_CAPACITY,
  FOREVER,
  KEY_AND_UNTIL,
  NO_SHARD,
  NOTE,
  SEEN,
  sweepShard,
  UNTIL,
} from './digest-shard.js';

// Read once, because in the sandbox of a test runner each access to a global costs a microsecond.
const { ceil, floor, imul, max, min } = Math;

/** At a load of 0.8 a miss reads 13 tags on average, in one or two cache lines. At 0.9 it would read 50. */
const MAX_LOAD = 0.8;
/** Less than 2, because a table that has just doubled is half empty. */
const GROWTH = 1.5;

/**
 * Computes where the entry of a key is: its shard, the slot at which a search starts, and its tag. The seed is
 * random per process, so that an attacker cannot choose ids that collide.
 */
export class DigestLayout {
  private readonly seed0: number;
  private readonly seed1: number;
  private readonly seed2: number;
  private readonly seed3: number;

  constructor(
    readonly stride: number,
    private readonly shardBits: number,
    seed: Uint32Array = randomFillSync(new Uint32Array(4)),
  ) {
    this.seed0 = seed[0]! | 0;
    this.seed1 = seed[1]! | 0;
    this.seed2 = seed[2]! | 0;
    this.seed3 = seed[3]! | 0;
  }

  /** Hashes the key at an index of an array. The high bits select the shard, the others the slot. */
  hash(words: Uint32Array, at: number): number {
    let h = imul(words[at]! ^ this.seed0, 0x9e3779b1);
    h = imul(h ^ (h >>> 15) ^ words[at + 1]! ^ this.seed1, 0x85ebca6b);
    h = imul(h ^ (h >>> 13) ^ words[at + 2]! ^ this.seed2, 0xc2b2ae35);
    h = imul(h ^ (h >>> 16) ^ words[at + 3]! ^ this.seed3, 0x27d4eb2f);
    h = imul(h ^ (h >>> 15), 0x85ebca6b);
    return h ^ (h >>> 13);
  }

  shard(hash: number): number {
    return hash >>> (32 - this.shardBits);
  }

  /** The slot at which a search starts. It is a product, so the capacity need not be a power of two. */
  home(hash: number, capacity: number): number {
    return (((hash << this.shardBits) >>> 0) * capacity * 2 ** -32) | 0;
  }

  /** One byte, never 0, from bits that neither the shard nor the slot uses. */
  tag(hash: number, d: number): number {
    return imul(hash ^ d, 0x9e3779b1) >>> 24 || 1;
  }
}

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
 * Every request searches it. A `Map` would hash a new string each time, pause for tens of milliseconds when it
 * grows, and fill the garbage-collected heap. This table consists of typed arrays in many small shards, each of
 * which grows and is swept quickly. A miss reads a few one-byte tags and, 254 times of 255, no key.
 *
 * Only expiry removes an entry. If a full table evicted entries, their tokens would be accepted again.
 *
 * A *place* that `find` or `add` returned is valid until the next `add` or `sweep`.
 */
export class DigestTable {
  /** The number of entries, including expired ones that were not swept yet. Each request reads this field. */
  size = 0;
  private readonly shards: DigestShard[] = [];
  /** The tags of each shard once more, which saves a miss one pointer. */
  private readonly tags: Uint8Array[] = [];
  private readonly stride: number;
  private readonly shardCount: number;
  private readonly layout: DigestLayout;
  /** The capacities of all shards together. */
  private slots = 0;
  private cursor = 0;
  private now = 0;

  constructor({ payload = 0, shardBits = 10, seed }: DigestTableOptions = {}) {
    this.stride = KEY_AND_UNTIL + payload;
    this.shardCount = 2 ** shardBits;
    this.layout = new DigestLayout(this.stride, shardBits, seed);
  }

  /** The bytes of all its typed arrays. */
  get byteLength(): number {
    return this.slots * (2 + this.stride * 4);
  }

  /** The place of a key, or -1. It allocates nothing, and also finds entries that have expired. */
  find(key: Uint32Array): number {
    if (this.size === 0) return -1;
    const hash = this.layout.hash(key, 0);
    const index = this.layout.shard(hash);
    const slot = this.seek(index, hash, key);
    return slot < 0 ? -1 : this.place(index, slot);
  }

  /**
   * Adds a key, or merges it into the existing entry, and returns its place.
   *
   * A merged entry gets the later expiry. It keeps its note unless that is 0 ("unspecified"): the reason
   * of the first revocation is reported, and a retry without a reason must not replace it.
   */
  add(key: Uint32Array, untilSeconds: number, note: number): number {
    const hash = this.layout.hash(key, 0);
    const index = this.layout.shard(hash);
    if (this.shards.length === 0) this.open();
    let slot = this.seek(index, hash, key);
    if (slot < 0 && isFull(this.shards[index]!)) {
      this.makeRoom(index);
      slot = this.seek(index, hash, key);
    }
    const shard = this.shards[index]!;
    const { words, notes } = shard;
    if (slot >= 0) {
      const at = slot * this.stride + UNTIL;
      words[at] = max(words[at]!, untilSeconds);
      notes[slot] = (notes[slot]! & NOTE || note) | SEEN;
      return this.place(index, slot);
    }
    slot = ~slot;
    const at = slot * this.stride;
    for (let i = 0; i < UNTIL; i++) words[at + i] = key[i]!;
    words[at + UNTIL] = untilSeconds;
    for (let i = KEY_AND_UNTIL; i < this.stride; i++) words[at + i] = 0;
    shard.tags[slot] = this.layout.tag(hash, key[3]!);
    notes[slot] = note | SEEN;
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
    return this.wordsAt(place)[this.slotAt(place) * this.stride + UNTIL]!;
  }

  /** The array that holds the payload of an entry, from {@link payloadAt} on. */
  wordsAt(place: number): Uint32Array {
    return this.shardAt(place).words;
  }

  /** Where the payload of an entry starts in its array. */
  payloadAt(place: number): number {
    return this.slotAt(place) * this.stride + KEY_AND_UNTIL;
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
      const shard = this.shards[index]!;
      left--;
      if (shard.earliest >= this.now) continue;
      left -= shard.capacity;
      this.sweepShard(index, shard);
    }
    return before - this.size;
  }

  /** Marks all entries as not seen; each later `add` marks one as seen. */
  unsee(): void {
    for (const { notes } of this.shards) {
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
    for (const shard of this.shards) unseen += countUnseenIn(shard, nowSeconds, this.layout);
    return unseen;
  }

  /** The slot of a key, or the complement of the free slot at which the search for it ended. */
  private seek(index: number, hash: number, key: Uint32Array): number {
    const tags = this.tags[index]!;
    const tag = this.layout.tag(hash, key[3]!);
    for (let slot = this.layout.home(hash, tags.length); ;) {
      const found = tags[slot];
      if (found === 0) return ~slot;
      if (found === tag) {
        const { words } = this.shards[index]!;
        const at = slot * this.stride;
        const isHalf = words[at] === key[0] && words[at + 1] === key[1];
        if (isHalf && words[at + 2] === key[2] && words[at + 3] === key[3]) return slot;
      }
      if (++slot === tags.length) slot = 0;
    }
  }

  private makeRoom(index: number): void {
    let shard = this.shards[index]!;
    // Expired entries make room first, so that rare sweeps do not make the table grow.
    if (shard.earliest < this.now) shard = this.sweepShard(index, shard);
    const more = max(FIRST_CAPACITY, ceil(shard.capacity * GROWTH));
    if (isFull(shard)) this.resize(index, shard, more);
  }

  private sweepShard(index: number, shard: DigestShard): DigestShard {
    this.size -= shard.count;
    const capacity = sweepShard(shard, this.now, this.layout);
    this.size += shard.count;
    return capacity === shard.capacity ? shard : this.resize(index, shard, capacity);
  }

  private resize(index: number, old: DigestShard, capacity: number): DigestShard {
    let shard = NO_SHARD;
    if (capacity > 0) {
      shard = {
        capacity,
        count: 0,
        earliest: FOREVER,
        tags: new Uint8Array(capacity),
        notes: new Uint8Array(capacity),
        words: new Uint32Array(capacity * this.stride),
      };
      if (old.count > 0) copyAll(old, shard, this.layout);
    }
    this.slots += capacity - old.capacity;
    this.shards[index] = shard;
    this.tags[index] = shard.tags;
    return shard;
  }

  /** Called at the first entry: an empty table costs nothing. */
  private open(): void {
    for (let index = 0; index < this.shardCount; index++) {
      this.shards.push(NO_SHARD);
      this.tags.push(NO_SHARD.tags);
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

function isFull({ count, capacity }: DigestShard): boolean {
  return count + 1 > capacity * MAX_LOAD;
}
