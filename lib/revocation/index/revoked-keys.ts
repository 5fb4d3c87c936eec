/** In the place of a kid's key: the token names none, so it may be of any key that was revoked. */
export const NO_KID = '';

/** Which signing keys were revoked, by the hexadecimal key of their kid: a handful, for ever. */
export class RevokedKeys {
  private readonly known = new Map<string, { note: number; seen: boolean }>();

  get size(): number {
    return this.known.size;
  }

  /** The first reason that was given stays. */
  add(kidKey: string, note: number): void {
    this.known.set(kidKey, { note: this.known.get(kidKey)?.note || note, seen: true });
  }

  /** The note of a key that was revoked, or `undefined`; of any key for {@link NO_KID}. */
  find(kidKey: string): number | undefined {
    // The first note is `unspecified`: of which key it would be is not known.
    if (kidKey === NO_KID) return this.known.size > 0 ? 0 : undefined;
    return this.known.get(kidKey)?.note;
  }

  /** Begins a comparison with a reload; see {@link RevocationIndex.beginReload}. */
  unsee(): void {
    for (const key of this.known.values()) key.seen = false;
  }

  /** Whether a key was told since. */
  isSeen(kidKey: string): boolean {
    return this.known.get(kidKey)?.seen ?? false;
  }

  /** How many were not told since. */
  countUnseen(): number {
    let missing = 0;
    for (const { seen } of this.known.values()) missing += seen ? 0 : 1;
    return missing;
  }
}
