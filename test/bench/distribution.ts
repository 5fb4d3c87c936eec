/** Values in their order, of which one asks for percentiles. */
export class Distribution {
  private readonly sorted: readonly number[];

  constructor(values: readonly number[]) {
    this.sorted = values.toSorted((a, b) => a - b);
  }

  get count(): number {
    return this.sorted.length;
  }

  /** The value below which this share of all lie. */
  at(share: number): number {
    const { sorted } = this;
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  }

  get most(): number {
    return this.sorted.at(-1) ?? NaN;
  }

  /** In milliseconds, as a note beside a figure. */
  toString(): string {
    const of = (value: number): string => value.toFixed(2);
    return `p50 ${of(this.at(0.5))} ms, p99 ${of(this.at(0.99))} ms, largest ${of(this.most)} ms, ${this.count.toLocaleString('en-US')} of them`;
  }
}
