/** The chains that link a watch: by the key of its token, session and subject, and by its expiry. */
export const CHAINS = { token: 0, session: 1, subject: 2, expiry: 3 } as const;

/** One of {@link CHAINS}. */
export type Chain = (typeof CHAINS)[keyof typeof CHAINS];

/** The number of chains, which is the number of words per row. */
const WIDTH = 4;
const FIRST_ROWS = 64;
/** The table grows by a quarter, so at most a fifth of its rows is unused. */
const GROWTH = 1.25;

/** An item of the table. It stores its own row number, so removing it needs no search. */
export interface Row {
  row: number;
}

/**
 * The watched tokens, indexed by 32 bits of a key: finding the tokens that an event ends does not scan the
 * others. Two keys may share those bits, so the caller checks each found token against the index.
 *
 * Each chain is a hash table whose entries are linked through typed arrays. A watch takes about 80 bytes, and
 * the garbage collector has nothing to trace. Links go both ways, because a subject may have 100,000 watches.
 */
export class WatchTable<Item extends Row> {
  size = 0;
  /** One number for each row, available to the owner of the table. */
  numbers = new Float64Array(FIRST_ROWS);
  private items: (Item | undefined)[] = Array.from({ length: FIRST_ROWS });
  private words = new Uint32Array(FIRST_ROWS * WIDTH);
  // Row 0 is never used: 0 marks the end of a chain.
  private next = new Uint32Array(FIRST_ROWS * WIDTH);
  private previous = new Uint32Array(FIRST_ROWS * WIDTH);
  private heads = new Uint32Array(FIRST_ROWS * WIDTH);
  private mask = FIRST_ROWS - 1;
  /** The head of the free list, which uses the first chain. */
  private free = 0;
  private top = 1;

  /** Adds an item in a new row. {@link each} finds the item after {@link link}. */
  add(item: Item): void {
    if (this.free === 0 && this.top === this.items.length) this.grow();
    // A free row has the number of the next free row in its first link.
    item.row = this.free === 0 ? this.top++ : this.free;
    this.free = item.row === this.free ? this.next[item.row * WIDTH]! : 0;
    this.next.fill(0, item.row * WIDTH, (item.row + 1) * WIDTH);
    this.items[item.row] = item;
    this.size++;
  }

  /** Links an item into a chain under this word. Call it once for each chain. */
  link({ row }: Row, chain: Chain, word: number): void {
    const at = row * WIDTH + chain;
    this.words[at] = word;
    const head = this.headOf(chain, this.words[at]!);
    const first = this.heads[head]!;
    this.next[at] = first;
    this.previous[at] = 0;
    if (first !== 0) this.previous[first * WIDTH + chain] = row;
    this.heads[head] = row;
  }

  remove(item: Item): void {
    const { row } = item;
    for (let chain = 0; chain < WIDTH; chain++) this.unlink(row, chain as Chain);
    this.items[row] = undefined;
    this.next[row * WIDTH] = this.free;
    this.free = row;
    item.row = 0;
    this.size--;
  }

  /**
   * Visits the items under this word. A visit may remove any item, because a decision can notify a subscriber of
   * AuthEvents that closes other connections immediately.
   */
  each(chain: Chain, word: number, visit: (item: Item) => void): void {
    const found: Item[] = [];
    for (let row = this.heads[this.headOf(chain, word)]!; row !== 0;) {
      const at = row * WIDTH + chain;
      if (this.words[at] === word) found.push(this.items[row]!);
      row = this.next[at]!;
    }
    for (const item of found) if (item.row !== 0) visit(item);
  }

  /** Visits all items. The visitor may remove the current item. */
  all(visit: (item: Item) => void): void {
    this.some(1, this.top, visit);
  }

  /**
   * Like {@link all}, in parts: visits `rows` rows starting at `first`, and returns the next row, or 0 at the
   * end.
   */
  some(first: number, rows: number, visit: (item: Item) => void): number {
    const end = Math.min(this.top, first + rows);
    for (let row = first; row < end; row++) {
      const item = this.items[row];
      if (item !== undefined) visit(item);
    }
    return end < this.top ? end : 0;
  }

  /** Visits the items that expire after the second `after` and no later than the second `upTo`. */
  expiring(after: number, upTo: number, visit: (item: Item) => void): void {
    if (upTo - after > this.mask) {
      this.all((item) => {
        if (this.words[item.row * WIDTH + CHAINS.expiry]! <= upTo) visit(item);
      });
      return;
    }
    for (let second = after + 1; second <= upTo; second++) this.each(CHAINS.expiry, second, visit);
  }

  private headOf(chain: number, word: number): number {
    return chain * (this.mask + 1) + (word & this.mask);
  }

  private unlink(row: number, chain: Chain): void {
    const at = row * WIDTH + chain;
    const [next, previous] = [this.next[at]!, this.previous[at]!];
    if (previous !== 0) this.next[previous * WIDTH + chain] = next;
    else {
      const head = this.headOf(chain, this.words[at]!);
      if (this.heads[head] !== row) return; // The item has no such key.
      this.heads[head] = next;
    }
    if (next !== 0) this.previous[next * WIDTH + chain] = previous;
    this.previous[at] = 0;
  }

  private grow(): void {
    const length = Math.ceil(this.items.length * GROWTH);
    this.items.length = length;
    this.numbers = widened(this.numbers, new Float64Array(length));
    this.words = widened(this.words, new Uint32Array(length * WIDTH));
    this.next = widened(this.next, new Uint32Array(length * WIDTH));
    this.previous = widened(this.previous, new Uint32Array(length * WIDTH));
    if (length > (this.mask + 1) * 1.5) this.rehash();
  }

  /** Doubles the number of heads and links every chain again. At this point no row is free. */
  private rehash(): void {
    const { heads, next, mask } = this;
    this.mask = mask * 2 + 1;
    this.heads = new Uint32Array((this.mask + 1) * WIDTH);
    this.next = new Uint32Array(next.length);
    for (let at = 0; at < heads.length; at++) {
      const chain = Math.floor(at / (mask + 1)) as Chain;
      for (let row = heads[at]!; row !== 0; row = next[row * WIDTH + chain]!) {
        this.link({ row }, chain, this.words[row * WIDTH + chain]!);
      }
    }
  }
}

function widened<A extends Float64Array | Uint32Array>(old: A, wide: A): A {
  wide.set(old);
  return wide;
}
