import { Logger } from '@nestjs/common';
import type { EventDraft } from '../../database/log-rows.js';
import type { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import type { TokenIdentity } from '../../options/token-claims.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import { messageOf } from '../../platform/log-text.js';
import type { Answer } from '../feed/log-cursor.js';
import type { RevocationFeed } from '../feed/revocation-feed.service.js';
import type { EventKeys } from '../index/event-key.js';
import type { HistoryGaps } from '../index/history-gaps.js';
import { RevocationIndex } from '../index/revocation-index.js';
import { storageUnavailable } from './log-connection.service.js';
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

/** Between two attempts to settle what COMMIT left unknown, where no poll calls for them (ms). */
const SETTLE_AGAIN = 1_000;

/**
 * What became of writes whose COMMIT was sent and never answered (W4): until it is known they are
 * provisional, and a retry with the same ids, under the head lock, ends every doubt.
 */
export class CommitDoubts {
  private readonly logger = new Logger('RevocationLog');
  private settling: Promise<void> | undefined;
  private plansNoMore = false;

  /** @param write - Writes the same drafts again, and settles them here. */
  constructor(
    private readonly provisional: ProvisionalEvents,
    private readonly feed: RevocationFeed,
    private readonly clock: AuthClock,
    private readonly options: ResolvedAuthOptions,
    private readonly write: (drafts: readonly EventDraft[]) => Promise<unknown>,
  ) {}

  /** Nobody knows whether these count. */
  begin(drafts: readonly EventDraft[]): void {
    this.provisional.add(drafts, this.feed.now());
    this.settleLater();
  }

  /** An answer, a retry or a look under the head lock showed what became of these. */
  end(events: readonly { readonly id: string }[]): void {
    this.provisional.settle(
      events.map(({ id }) => id),
      this.feed.now(),
    );
  }

  /** An accepted answer shows some of them; the others are tried again. */
  endShown({ events, pending }: Answer): void {
    if (this.provisional.size === 0) return;
    this.end([...events, ...pending]);
    if (this.provisional.size > 0) void this.settle();
  }

  /**
   * Settles all there are.
   *
   * @throws AuthUnavailableException `storage_unavailable` while that cannot be done.
   */
  async endAll(): Promise<void> {
    if (this.provisional.size > 0) await this.settle();
    if (this.provisional.size === 0) return;
    throw storageUnavailable('An earlier write is not settled yet. Try again.');
  }

  /** From now on no attempt is planned: it would come after the connections were closed. */
  planNoMore(): void {
    this.plansNoMore = true;
  }

  /** Resolves when no attempt is under way. */
  async drain(): Promise<void> {
    // A last time: where nothing is followed, no poll would have shown what became of it.
    if (!this.options.follow && this.provisional.size > 0) void this.settle();
    await this.settling;
  }

  /** Without polls nobody else comes back to it. */
  private settleLater(): void {
    if (this.options.follow || this.plansNoMore || this.provisional.size === 0) return;
    this.clock.schedule(SETTLE_AGAIN, () => void this.settle());
  }

  private settle(): Promise<void> {
    this.settling ??= this.tryAgain().finally(() => {
      this.settling = undefined;
      this.settleLater();
    });
    return this.settling;
  }

  private async tryAgain(): Promise<void> {
    try {
      await this.write(this.provisional.list());
    } catch (error) {
      this.logger.warn(`An unanswered COMMIT is not settled yet: ${messageOf(error)}`);
    }
  }
}
