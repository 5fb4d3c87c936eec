import type { PendingEvent } from '../../database/entities/revocation-event.entity.js';
import type { Head } from '../../database/log.statements.js';
import { LARGEST_TOLERANCE } from '../../options/auth-option-table.js';

/**
 * How much longer than its tokens an event is kept (ms): the largest clock tolerance that is legal, for
 * which an expired token may still be accepted, and as much again as a margin for what clocks and long
 * polls can add (W3).
 */
export const RETENTION_MARGIN = 2 * LARGEST_TOLERANCE;

/** The longest that any event but a key's is kept (ms), whatever a token says of its own end. */
const LONGEST_KEPT = 367 * 86_400_000;

/** What {@link keepUntil} adds and allows, for the statement that computes the same in SQL. */
export const KEEPING = { longest: LONGEST_KEPT, margin: RETENTION_MARGIN };

/**
 * W3: until no token that the event concerns can be accepted by any instance.
 *
 * @param latest - The latest time by which such a token can have been signed.
 */
export function keepUntil(
  draft: Pick<PendingEvent, 'kind' | 'expiresAt' | 'life'>,
  head: Pick<Head, 'now' | 'maxTokenLife'>,
  latest: number,
): number | null {
  if (draft.kind === 'key') return null;
  const end =
    draft.kind === 'token' && draft.expiresAt !== null
      ? Math.max(draft.expiresAt, latest)
      : latest + Math.max(head.maxTokenLife, draft.life ?? 0);
  return Math.min(end, head.now + LONGEST_KEPT) + RETENTION_MARGIN;
}

/**
 * O2: for how long (ms) what was known of an opaque token is exact without another look at its row. Events are
 * kept for twice as long, at least.
 */
export function exactFor({ maxTokenLife }: { readonly maxTokenLife: number }): number {
  return (maxTokenLife + RETENTION_MARGIN) / 2;
}
