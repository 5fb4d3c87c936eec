import type { RevocationEvent } from '../../database/entities/revocation-event.entity.js';
import type { Head } from '../../database/log.statements.js';
import type { EventDraft } from './event-draft.js';
import { keepUntil } from './retention.js';

/** A server may read its clock up to so long before it has the lock on the head (ms). */
const LOCK_WAIT = 2_000;

/**
 * The row of an event with its position.
 *
 * @param latest - The latest time by which a token that it ends can have been signed.
 */
export function numbered(
  draft: EventDraft,
  head: Head,
  position: number,
  latest: number,
): RevocationEvent {
  draft.attemptedAt = position;
  const isCutOff = draft.kind === 'subject' || draft.kind === 'issuer';
  return {
    position,
    id: draft.id,
    kind: draft.kind,
    key: draft.key,
    killsBelow: isCutOff ? (draft.killsBelow ?? position) : null,
    except: draft.except,
    accessOnly: draft.accessOnly,
    issuedBefore: isCutOff ? head.now + Math.max(draft.skew, LOCK_WAIT) : null,
    until: keepUntil(draft, head, latest),
    reason: draft.reason,
    actor: draft.actor,
    createdAt: head.now,
  };
}
