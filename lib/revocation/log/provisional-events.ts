import type { EventKeys } from './event-key.js';
import type { TokenIdentity } from '../../database/revocation-event.js';
import type { HistoryGaps } from '../index/history-gaps.js';
import { RevocationIndex } from '../index/revocation-index.js';
import type { EventDraft } from '../../database/log-rows.js';
import { RETENTION_MARGIN } from './retention.js';

/**
 * Events whose COMMIT was sent and never answered (W4): nobody knows whether they count, so the
 * tokens that they would end are neither accepted nor called revoked; they get a 503.
 */
export class ProvisionalEvents {
  private readonly drafts = new Map<string, EventDraft>();
  private index: RevocationIndex | undefined;

  constructor(
    private readonly keys: EventKeys,
    private readonly maxTokenLife: number,
    /** Those of the index: a token of a lost history is judged here as it is there. */
    private readonly gaps?: HistoryGaps,
  ) {}

  get size(): number {
    return this.drafts.size;
  }

  /** Those that still have to be settled by a retry with the same ids. */
  list(): readonly EventDraft[] {
    return [...this.drafts.values()];
  }

  add(drafts: readonly EventDraft[], now: number): void {
    for (const draft of drafts) {
      // G3: numbered again later it must not end logins that came after what the caller was told,
      // and what the caller was told first holds, however often a COMMIT is lost.
      draft.killsBelow ??= draft.attemptedAt;
      this.drafts.set(draft.id, draft);
    }
    this.rebuild(now);
  }

  /** An answer, a retry or a look under the head lock showed what became of them. */
  settle(ids: Iterable<string>, now: number): void {
    let changed = false;
    for (const id of ids) changed = this.drafts.delete(id) || changed;
    if (changed) this.rebuild(now);
  }

  /** Whether one of them would end this token. */
  concerns(identity: TokenIdentity, kid: string | null | undefined): boolean {
    return this.index?.find(identity, kid) !== undefined;
  }

  private rebuild(now: number): void {
    this.index = undefined;
    for (const draft of this.drafts.values()) {
      this.index ??= new RevocationIndex(this.keys, this.gaps);
      this.index.add({
        ...draft,
        position: draft.attemptedAt ?? 0,
        issuedBefore: now + draft.skew,
        until: now + Math.max(this.maxTokenLife, draft.life ?? 0) + RETENTION_MARGIN,
      });
    }
  }
}
