import { Logger } from '@nestjs/common';
import type { EventDraft } from './event-draft.js';
import type { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import type { TokenIdentity } from '../../options/token-claims.js';
import { SharedCall } from '../../platform/async-calls.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import { messageOf } from '../../platform/log-text.js';
import type { EventKeys } from '../index/event-key.js';
import type { HistoryGaps } from '../index/history-gaps.js';
import { RevocationIndex } from '../index/revocation-index.js';
import type { ProofClock } from '../staleness/proof-clock.js';
import { storageUnavailable } from './log-connection.service.js';
import type { Answer } from './open-log.js';
import { RETENTION_MARGIN } from './retention.js';

/** The time between two attempts to settle them in a process without polls (ms). */
const SETTLE_AGAIN = 1_000;

/**
 * Events whose COMMIT was sent but not answered (W4). Until the outcome is known, the tokens that
 * they would revoke get a 503: accepting them could ignore a committed logout, and a 401 could
 * contradict a rolled-back one. A poll that shows the event settles it, and so does a retry with
 * the same id under the head lock.
 */
export class InDoubtCommits {
  /**
   * The number of events. It is a field and not a getter, because every decision and every logout
   * reads it.
   */
  size = 0;

  private readonly logger = new Logger('RevocationLog');
  private readonly drafts = new Map<string, EventDraft>();
  private index: RevocationIndex | undefined;
  private readonly retries = new SharedCall(() => this.writeAgain());
  private isClosing = false;

  /**
   * @param gaps - The gaps of the index, so that a token of a lost history is decided alike in
   * both.
   * @param write - Writes the same drafts again, and then calls {@link settle}.
   */
  constructor(
    private readonly keys: EventKeys,
    private readonly gaps: HistoryGaps,
    private readonly proofs: ProofClock,
    private readonly clock: AuthClock,
    private readonly options: Pick<ResolvedAuthOptions, 'follow' | 'maxTokenLife'>,
    private readonly write: (drafts: readonly EventDraft[]) => Promise<unknown>,
  ) {}

  /** Whether one of these events would revoke this token. */
  concerns(identity: TokenIdentity, kid: string | null | undefined): boolean {
    return this.index?.find(identity, kid) !== undefined;
  }

  /** The events that a retry with the same ids still has to settle. */
  list(): readonly EventDraft[] {
    return [...this.drafts.values()];
  }

  /** Adds events whose COMMIT was not answered. */
  add(drafts: readonly EventDraft[]): void {
    for (const draft of drafts) {
      // A later retry gets a higher position. It must not revoke logins that came after the first
      // one (G3).
      draft.killsBelow ??= draft.attemptedAt;
      this.drafts.set(draft.id, draft);
    }
    this.rebuild();
    this.retryLater();
  }

  /** Removes events whose outcome is known. */
  settle(events: readonly { readonly id: string }[]): void {
    let isChanged = false;
    for (const { id } of events) isChanged = this.drafts.delete(id) || isChanged;
    if (isChanged) this.rebuild();
  }

  /** Removes the events that an accepted answer shows, and retries the others. */
  settleShown({ events, pending }: Answer): void {
    if (this.size === 0) return;
    this.settle([...events, ...pending]);
    if (this.size > 0) void this.retries.join();
  }

  /**
   * Settles all of them.
   *
   * @throws AuthUnavailableException `storage_unavailable` while that is not possible.
   */
  async settleAll(): Promise<void> {
    if (this.size > 0) await this.retries.join();
    if (this.size === 0) return;
    throw storageUnavailable('An earlier write is not settled yet. Try again.');
  }

  /** Schedules no further attempt, because it would run after the connections were closed. */
  stopRetrying(): void {
    this.isClosing = true;
  }

  /** Resolves when no attempt is running. */
  async drain(): Promise<void> {
    // A process that does not follow the log has no poll that could show the outcome, so it makes
    // one last attempt.
    if (!this.options.follow && this.size > 0) void this.retries.join();
    await this.retries.idle();
  }

  /** A process that does not follow the log has no polls: a timer retries instead. */
  private retryLater(): void {
    if (this.options.follow || this.isClosing || this.size === 0) return;
    this.clock.schedule(SETTLE_AGAIN, () => void this.retries.join());
  }

  private async writeAgain(): Promise<void> {
    try {
      await this.write(this.list());
    } catch (error) {
      this.logger.warn(
        `The outcome of a COMMIT without an answer is not known yet: ${messageOf(error)}`,
      );
    }
    this.retryLater();
  }

  private rebuild(): void {
    this.size = this.drafts.size;
    const now = this.proofs.now();
    this.index = undefined;
    for (const draft of this.drafts.values()) {
      this.index ??= new RevocationIndex(this.keys, this.gaps);
      this.index.add({
        ...draft,
        position: draft.attemptedAt ?? 0,
        issuedBefore: now + draft.skew,
        until: now + Math.max(this.options.maxTokenLife, draft.life ?? 0) + RETENTION_MARGIN,
      });
    }
  }
}
