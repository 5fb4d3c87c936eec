interface Entry {
  readonly at: number;
  readonly act: () => Promise<void>;
}

/** What happens when, in simulated time: a binary heap, because a fleet plans a lot. */
export class Agenda {
  private readonly heap: Entry[] = [];

  plan(at: number, act: () => Promise<void>): void {
    this.heap.push({ at, act });
    for (let child = this.heap.length - 1; child > 0;) {
      const parent = (child - 1) >> 1;
      if (this.at(parent) <= this.at(child)) return;
      this.swap(parent, child);
      child = parent;
    }
  }

  /** The next act; `undefined` when nothing more is planned. */
  next(): Entry | undefined {
    const first = this.heap[0];
    const last = this.heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    this.heap[0] = last;
    for (let parent = 0; ;) {
      const [left, right] = [2 * parent + 1, 2 * parent + 2];
      let least = parent;
      if (this.at(left) < this.at(least)) least = left;
      if (this.at(right) < this.at(least)) least = right;
      if (least === parent) return first;
      this.swap(parent, least);
      parent = least;
    }
  }

  private at(index: number): number {
    return this.heap[index]?.at ?? Infinity;
  }

  private swap(one: number, other: number): void {
    const [a, b] = [this.heap[one], this.heap[other]];
    if (a !== undefined) this.heap[other] = a;
    if (b !== undefined) this.heap[one] = b;
  }
}
