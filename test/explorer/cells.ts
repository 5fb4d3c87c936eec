/** Named bytes of a state: each field is one cell of 0 to 255. */
export type Cells<F extends string> = Record<F, number>;

/** Where the cells of one kind are, one after the other. */
export interface CellLayout<F extends string> {
  readonly size: number;
  /** The cells from `offset` on; reads and writes go straight to the bytes. */
  place(bytes: Uint8Array, offset: number): Cells<F>;
}

/**
 * Lays named fields over bytes, so that a state of the model reads like an object and is copied,
 * hashed and compared like an array.
 */
export function layoutOf<const F extends string>(...fields: readonly F[]): CellLayout<F> {
  class Place {
    constructor(
      readonly bytes: Uint8Array,
      readonly offset: number,
    ) {}
  }
  for (const [index, field] of fields.entries()) {
    Object.defineProperty(Place.prototype, field, {
      get(this: Place) {
        return this.bytes[this.offset + index];
      },
      set(this: Place, value: number) {
        if (value < 0 || value > 255) throw new RangeError(`${field} = ${value} is no cell`);
        this.bytes[this.offset + index] = value;
      },
    });
  }
  return {
    size: fields.length,
    place: (bytes, offset) => new Place(bytes, offset) as unknown as Cells<F>,
  };
}

/** Whether bit `index` of a cell is set. Sets of events and of instances are cells. */
export function has(set: number, index: number): boolean {
  return (set & (1 << index)) !== 0;
}

/** The set that has one member. */
export function only(index: number): number {
  return 1 << index;
}
