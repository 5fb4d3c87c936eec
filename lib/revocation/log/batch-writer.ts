import { setImmediate } from 'node:timers/promises';
import type { EventDraft } from './event-draft.js';
import type { AppendedDrafts } from './log.transactions.js';

/** The largest number of events in one transaction. */
const MAX_BATCH = 500;

interface Entry {
  readonly drafts: readonly EventDraft[];
  readonly resolve: (appended: AppendedDrafts) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Lets concurrent logouts share a transaction (W5): what arrives while one is being committed makes up
 * the next one. There is no timer; each caller's promise settles after its own commit.
 */
export class BatchWriter {
  private queue: Entry[] = [];
  private flushing: Promise<void> | undefined;

  /** @param append - Writes all of these or none. */
  constructor(
    private readonly append: (drafts: readonly EventDraft[]) => Promise<AppendedDrafts>,
  ) {}

  write(drafts: readonly EventDraft[]): Promise<AppendedDrafts> {
    return new Promise((resolve, reject) => {
      this.queue.push({ drafts, resolve, reject });
      this.flushing ??= this.flush();
    });
  }

  /** Resolves when nothing is queued or being written. */
  async drain(): Promise<void> {
    while (this.flushing !== undefined) await this.flushing;
  }

  private async flush(): Promise<void> {
    while (this.queue.length > 0) {
      // On a synchronous driver nothing could accumulate without a turn of the event loop.
      await setImmediate();
      await this.writeBatch(this.take());
    }
    // In the tick of that look at the queue: what was written between the two would wait for ever.
    this.flushing = undefined;
  }

  private take(): Entry[] {
    let size = 0;
    let count = 0;
    for (const { drafts } of this.queue) {
      size += drafts.length;
      if (count > 0 && size > MAX_BATCH) break;
      count++;
    }
    return this.queue.splice(0, count);
  }

  private async writeBatch(batch: readonly Entry[]): Promise<void> {
    let appended: AppendedDrafts;
    try {
      appended = await this.append(batch.flatMap(({ drafts }) => drafts));
    } catch (error) {
      for (const { reject } of batch) reject(error);
      return;
    }
    const { head, eventOf } = appended;
    for (const { drafts, resolve } of batch) {
      const events = drafts.map(({ id }) => eventOf.get(id)).filter((event) => event !== undefined);
      resolve({ head, events, eventOf });
    }
  }
}
