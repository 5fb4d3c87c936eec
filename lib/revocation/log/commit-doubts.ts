import { Logger } from '@nestjs/common';
import type { AuthClock } from '../../platform/auth-clock.js';
import type { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import type { Answer } from '../feed/log-cursor.js';
import { messageOf } from '../../platform/message-of.js';
import type { ProvisionalEvents } from './provisional-events.js';
import type { RevocationFeed } from '../feed/revocation-feed.service.js';
import { storageUnavailable } from './storage-unavailable.js';
import type { EventDraft } from '../../database/log-rows.js';

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
