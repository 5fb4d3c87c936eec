import { randomFillSync } from 'node:crypto';

// Read once: in the sandbox of a test runner every access to a global costs a microsecond.
const { imul } = Math;

/**
 * Where the entry of a key is: its shard, the slot at which a search starts, and its tag. Only this
 * process knows the seed, so that no one can choose many ids of one shard or one run of slots.
 */
export class DigestLayout {
  private readonly seed0: number;
  private readonly seed1: number;
  private readonly seed2: number;
  private readonly seed3: number;

  /** @param stride - The words of a slot: the key, `until` and the payload. */
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

  /** The hash of the key at a place of an array: first the number of the shard, then a fraction of its capacity. */
  hash(words: Uint32Array, at: number): number {
    let h = imul(words[at]! ^ this.seed0, 0x9e3779b1);
    h = imul(h ^ (h >>> 15) ^ words[at + 1]! ^ this.seed1, 0x85ebca6b);
    h = imul(h ^ (h >>> 13) ^ words[at + 2]! ^ this.seed2, 0xc2b2ae35);
    h = imul(h ^ (h >>> 16) ^ words[at + 3]! ^ this.seed3, 0x27d4eb2f);
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
