import type { LogEvent } from '../../database/entities/revocation-event.entity.js';
import type { EventKeys } from './event-key.js';

/**
 * How many kids are cached. The limit bounds memory, because a client can write any `kid` into a
 * header.
 */
const MOST_KIDS = 1_000;

/** The event keys (hexadecimal) that revoke one kid. */
interface KidKeys {
  readonly everywhere: string;
  readonly ours: string;
}

/**
 * The revoked signing keys. There are few, and they are kept for ever: a leaked key can sign new
 * tokens at any time.
 */
export class RevokedKeys {
  /** The number of revoked keys. It is a field and not a getter, because each request reads it. */
  size = 0;
  private readonly known = new Map<string, { note: number; seen: boolean }>();
  /**
   * The event keys of issuers with a revoked signing key; `null` if an event applies to every
   * issuer.
   */
  private readonly issuers = new Set<string | null>();
  private readonly kids = new Map<string, KidKeys>();

  constructor(private readonly keys: EventKeys) {}

  /** Adds a key. If it was added before, the first reason is kept. */
  add({ key, except }: Pick<LogEvent, 'key' | 'except'>, note: number): void {
    this.known.set(key, { note: this.known.get(key)?.note || note, seen: true });
    this.size = this.known.size;
    this.issuers.add(except);
  }

  /**
   * The note of a revoked key of this issuer, or `undefined`. With `null` as the kid, any revoked
   * key of the issuer counts.
   */
  find(issuer: string, kid: string | null): number | undefined {
    if (kid === null) {
      const isAny = this.issuers.has(null) || this.issuers.has(this.keys.hex('issuer', issuer, ''));
      // The note 0 means `unspecified`, because it is not known which key signed the token.
      return isAny ? 0 : undefined;
    }
    const { everywhere, ours } = this.keysOf(kid);
    // A token of JwtService may have no issuer. One of our keys verified it.
    const isOurs = issuer === this.keys.ownIssuer || issuer === '';
    const key = isOurs ? ours : this.keys.hex('key', issuer, kid);
    return (this.known.get(key) ?? this.known.get(everywhere))?.note;
  }

  /** See {@link RevocationIndex.beginReload}. */
  unsee(): void {
    for (const key of this.known.values()) key.seen = false;
  }

  /** Whether a key was seen since. */
  isSeen(key: string): boolean {
    return this.known.get(key)?.seen ?? false;
  }

  /** How many were not seen since. */
  countUnseen(): number {
    let missing = 0;
    for (const { seen } of this.known.values()) missing += seen ? 0 : 1;
    return missing;
  }

  private keysOf(kid: string): KidKeys {
    let found = this.kids.get(kid);
    if (found === undefined) {
      const { keys } = this;
      found = {
        everywhere: keys.hex('key', '', kid),
        ours: keys.hex('key', keys.ownIssuer, kid),
      };
      if (this.kids.size >= MOST_KIDS) this.kids.clear();
      this.kids.set(kid, found);
    }
    return found;
  }
}
