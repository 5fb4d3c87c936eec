/** So many states are in one block: an array of all of them could not be longer than 4 GB. */
const BLOCK_BITS = 16;
const BLOCK = 1 << BLOCK_BITS;

/** A set of states of one length, in the order in which they were found. */
export class StateSet {
  size = 0;
  private readonly blocks: Int32Array[] = [];
  private parents = new Int32Array(1 << 12);
  /** Open addressing: the number of a state + 1, or 0 for a free slot. */
  private table = new Int32Array(1 << 14);
  private readonly length: number;
  private readonly sought: Int32Array;
  private readonly soughtBytes: Uint8Array;

  /** @param width - Bytes of each state; a multiple of 4. */
  constructor(private readonly width: number) {
    this.length = width / 4;
    this.soughtBytes = new Uint8Array(width);
    this.sought = new Int32Array(this.soughtBytes.buffer);
  }

  /** Adds a state that was reached from another one, if it is new. */
  add(state: Uint8Array, parent: number): boolean {
    this.soughtBytes.set(state);
    const { table, length, sought } = this;
    const mask = table.length - 1;
    let place = hashOf(sought, length) & mask;
    for (let entry = table[place] as number; entry !== 0; entry = table[place] as number) {
      if (this.equals(entry - 1)) return false;
      place = (place + 1) & mask;
    }
    this.grow();
    this.blockOf(this.size).set(sought, (this.size % BLOCK) * length);
    this.parents[this.size] = parent;
    table[place] = ++this.size;
    if (this.size * 2 > table.length) this.rehash();
    return true;
  }

  read(index: number, target: Uint8Array): void {
    const { buffer } = this.blockOf(index);
    target.set(new Uint8Array(buffer, (index % BLOCK) * this.width, this.width));
  }

  parentOf(index: number): number {
    return this.parents[index] as number;
  }

  private equals(index: number): boolean {
    const { sought, length } = this;
    const words = this.blockOf(index);
    const start = (index % BLOCK) * length;
    for (let i = 0; i < length; i++) if (words[start + i] !== sought[i]) return false;
    return true;
  }

  private grow(): void {
    if (this.size % BLOCK === 0) this.blocks.push(new Int32Array(BLOCK * this.length));
    if (this.size < this.parents.length) return;
    const parents = new Int32Array(this.parents.length * 2);
    parents.set(this.parents);
    this.parents = parents;
  }

  private blockOf(index: number): Int32Array {
    return this.blocks[index >>> BLOCK_BITS] as Int32Array;
  }

  private rehash(): void {
    const table = new Int32Array(this.table.length * 2);
    const mask = table.length - 1;
    for (let index = 0; index < this.size; index++) {
      const start = (index % BLOCK) * this.length;
      const words = this.blockOf(index).subarray(start, start + this.length);
      let place = hashOf(words, this.length) & mask;
      while (table[place] !== 0) place = (place + 1) & mask;
      table[place] = index + 1;
    }
    this.table = table;
  }
}

function hashOf(words: Int32Array, length: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < length; i++) {
    hash = Math.imul(hash ^ (words[i] as number), 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash ^ (hash >>> 13);
}
