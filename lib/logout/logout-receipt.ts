import type { RevocationKind } from '../database/revocation-event.js';

/** What a logout did, from when, and where: proof for an audit, and the bound to count on. */
export interface LogoutReceipt {
  /** The events that were written; `position` is `null` while the caller's transaction is open. */
  readonly events: readonly {
    readonly kind: RevocationKind;
    readonly position: number | null;
    readonly id: string;
  }[];
  /**
   * Seconds after which no instance accepts the token any more, whatever the hosts' clocks say: the
   * widest failure policy of any instance. Infinity (`null` in JSON) while one has said `'open'`, or
   * only observes.
   */
  readonly effectiveEverywhereWithin: number;
  /** Until when the event is remembered; `null` for a key (for ever) and with `{ manager }`. */
  readonly keptUntil: Date | null;
  /**
   * Resolves when this instance refuses; at once, except with `{ manager }`: then with the next proof
   * after the caller's commit. At once also in a process that only writes (`follow: false`), where it
   * means nothing more than that: no token is accepted there, before or after.
   */
  applied(): Promise<void>;
}
