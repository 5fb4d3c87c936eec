import type { RevocationReason } from '../database/revocation-event.js';
import type { RefreshRow } from '../database/session-rows.js';

/**
 * What a refresh token that was used before says about who uses it again.
 *
 * - `recent`: its successor was not used yet. The client may have lost the answer, or a thief came
 *   first: both look the same.
 * - `orphaned`: its successor was used, but nothing after that: two clients share one login.
 * - `stale`: the login has gone on for longer without it; nobody but a thief or a restored backup
 *   still has it.
 *
 * - `after_end`: the session had ended already; its end may have been a thief's own logout.
 *
 * The first three end the session: the classes are for reports, not for mercy.
 *
 * @publicApi
 */
export type ReuseClass = 'recent' | 'orphaned' | 'stale' | 'after_end';

/** What became of a refresh; everything but `refreshed` and `retried` has changed nothing. */
export type RefreshOutcome =
  | { readonly kind: 'refreshed'; readonly refresh: RefreshRow }
  | {
      readonly kind: 'retried';
      /** The row of the successor that the first answer carried. */
      readonly refresh: RefreshRow;
      readonly sealed: string;
      /** Whether it is sealed under the idempotency key too. */
      readonly isProven: boolean;
    }
  | { readonly kind: 'unknown' | 'expired' | 'locked' | 'disabled' }
  /** Somebody's mark lies above the position that was read: begin again from that read (G1). */
  | { readonly kind: 'superseded' }
  /** So many rotations or retries were made; how long until one more is allowed (ms). */
  | { readonly kind: 'too many'; readonly wait: number }
  | {
      readonly kind: 'ended';
      readonly reason: RevocationReason;
      /** Whether the token had been used by somebody else. */
      readonly isReused: boolean;
    }
  | { readonly kind: 'reused'; readonly reuse: ReuseClass };

/** What became of a login; `dead`: a mark of the account lies above its position (G1). */
export type LoginOutcome =
  /** `surplus`: the ids of the sessions beyond the limit. */
  | { readonly kind: 'begun'; readonly surplus: readonly string[] }
  | { readonly kind: 'locked' | 'disabled' | 'dead' };
