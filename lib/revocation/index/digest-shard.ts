// Read once: in the sandbox of a test runner every access to a global costs a microsecond.
const { imul } = Math;

/** The `until` of an entry that never expires. */
export const FOREVER = 0xffffffff;

/** The words of a slot before its payload: the key's four and `until`. */
export const KEY_AND_UNTIL = 5;
/** The index of `until` (seconds) among them. */
export const UNTIL = 4;

/** At 0.8 a miss reads 13 tags on average, in one or two cache lines; at 0.9 it would read 50. */
const MAX_LOAD = 0.8;

/**
 * Computes shard, slot and tag of a key. Only this process knows the seed, so that no one can choose many
 * ids of one shard or one run of slots.
 */
export class DigestHash {
  private readonly seed0: number;
  private readonly seed1: number;
  private readonly seed2: number;
  private readonly seed3: number;

  constructor(
    private readonly shardBits: number,
    seed: Uint32Array,
  ) {
    this.seed0 = seed[0]! | 0;
    this.seed1 = seed[1]! | 0;
    this.seed2 = seed[2]! | 0;
    this.seed3 = seed[3]! | 0;
  }

  /** 32 bits: first the number of the shard, then a fraction of its capacity. */
  of(a: number, b: number, c: number, d: number): number {
    let h = imul(a ^ this.seed0, 0x9e3779b1);
    h = imul(h ^ (h >>> 15) ^ b ^ this.seed1, 0x85ebca6b);
    h = imul(h ^ (h >>> 13) ^ c ^ this.seed2, 0xc2b2ae35);
    h = imul(h ^ (h >>> 16) ^ d ^ this.seed3, 0x27d4eb2f);
    h = imul(h ^ (h >>> 15), 0x85ebca6b);
    return h ^ (h >>> 13);
  }

  /** The number of the shard. */
  shard(hash: number): number {
    return hash >>> (32 - this.shardBits);
  }

  /** The slot at which a search starts. It is a product, so the capacity need not be a power of two. */
  home(hash: number, capacity: number): number {
    return (((hash << this.shardBits) >>> 0) * capacity * 2 ** -32) | 0;
  }

  /** One byte, never 0, of bits that neither shard nor slot use. */
  tag(hash: number, d: number): number {
    return imul(hash ^ d, 0x9e3779b1) >>> 24 || 1;
  }
}

/** One small open-addressing table of a `DigestTable`; the entry of a slot is spread over its arrays. */
export class DigestShard {
  count = 0;
  /** No entry expires before this, so that a sweep can skip the shard. */
  earliest = FOREVER;
  /** 0 = the slot is free. */
  readonly tags: Uint8Array;
  readonly notes: Uint8Array;
  readonly words: Uint32Array;

  constructor(
    readonly capacity: number,
    private readonly stride: number,
    private readonly hash: DigestHash,
  ) {
    this.tags = new Uint8Array(capacity);
    this.notes = new Uint8Array(capacity);
    this.words = new Uint32Array(capacity * stride);
  }

  /** The bytes of its arrays. */
  get byteLength(): number {
    return this.tags.byteLength + this.notes.byteLength + this.words.byteLength;
  }

  /** Whether it must grow before the next entry. */
  get full(): boolean {
    return this.count + 1 > this.capacity * MAX_LOAD;
  }

  /** Copies all entries of another shard into this empty one. */
  takeAll(from: DigestShard): void {
    for (let slot = 0; slot < from.capacity; slot++) {
      if (from.tags[slot] === 0) continue;
      let target = this.hash.home(from.hashAt(slot), this.capacity);
      while (this.tags[target] !== 0) target = target + 1 === this.capacity ? 0 : target + 1;
      this.copy(from, slot, target);
    }
    this.count = from.count;
    this.earliest = from.earliest;
  }

  /** Removes every entry that expired before `now`, and updates `earliest`. */
  sweep(now: number): void {
    let earliest = FOREVER;
    for (let slot = 0; slot < this.capacity;) {
      const until = this.words[slot * this.stride + UNTIL]!;
      if (this.tags[slot] === 0) slot++;
      // Another entry may move into this slot: look at it again.
      else if (until < now) this.remove(slot);
      else {
        if (until < earliest) earliest = until;
        slot++;
      }
    }
    this.earliest = earliest;
  }

  /** Empties a slot without a tombstone: the entries after it move up as far as their home slots allow. */
  private remove(slot: number): void {
    const { capacity, tags } = this;
    let hole = slot;
    for (let next = slot; ;) {
      if (++next === capacity) next = 0;
      if (tags[next] === 0) break;
      const home = this.hash.home(this.hashAt(next), capacity);
      const fromHome = next >= home ? next - home : next - home + capacity;
      const fromHole = next >= hole ? next - hole : next - hole + capacity;
      if (fromHome < fromHole) continue;
      this.copy(this, next, hole);
      hole = next;
    }
    tags[hole] = 0;
    this.count--;
  }

  private copy(from: DigestShard, slot: number, target: number): void {
    const source = slot * this.stride;
    const sink = target * this.stride;
    this.tags[target] = from.tags[slot]!;
    this.notes[target] = from.notes[slot]!;
    for (let i = 0; i < this.stride; i++) this.words[sink + i] = from.words[source + i]!;
  }

  private hashAt(slot: number): number {
    const at = slot * this.stride;
    const { words } = this;
    return this.hash.of(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
  }
}
