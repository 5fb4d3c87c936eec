import type { PendingEvent } from '../../database/entities/revocation-event.entity.js';
import type { Head } from '../../database/log.statements.js';
import { LARGEST_TOLERANCE } from '../../options/auth-option-table.js';

/**
 * How much longer than its tokens an event is kept (ms): 60 s for the largest legal clock
 * tolerance, during which an expired token may still be accepted, and 60 s as a margin for clocks
 * and slow polls (W3).
 */
export const RETENTION_MARGIN = 2 * LARGEST_TOLERANCE;

/** The longest that any event except a `key` event is kept (ms), whatever `exp` a token claims. */
const LONGEST_KEPT = 367 * 86_400_000;

/** The constants of {@link keepUntil}, for the statement that computes the same in SQL. */
export const KEEPING = { longest: LONGEST_KEPT, margin: RETENTION_MARGIN };

/**
 * The time until which an event is kept (epoch ms): after it, no instance can accept a token that
 * the event revokes (W3). `null`: for ever. If it were shorter, a revoked token would be accepted
 * again after the purge.
 *
 * @param latest - The latest time (epoch ms) at which such a token can have been signed.
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
 * How long (ms) the cached row of an opaque token may be used without reading it again (O2). Every
 * event is kept for at least twice as long, so a revocation since then is still in the index.
 */
export function exactFor({ maxTokenLife }: { readonly maxTokenLife: number }): number {
  return (maxTokenLife + RETENTION_MARGIN) / 2;
}
