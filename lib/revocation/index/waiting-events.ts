import type { LogEvent, RevocationKind } from '../../database/entities/revocation-event.entity.js';
import type { IndexStats, PendingAt, RevocationIndex } from './revocation-index.js';

/** What an index of its own is asked, over what waits for a number. */
type Waiting = Pick<RevocationIndex, 'add' | 'stats'>;

interface Entry {
  readonly event: LogEvent;
  readonly pendingAt: PendingAt;
  isSeen: boolean;
}

/**
 * The pending events, apart from the numbered ones. A pending event counts until the last proof that
 * carried it plus the longest lifetime, because nobody knows yet until when its row will be kept; once
 * it is numbered its row says so, and what it counted as before is dropped. Kept in one entry, the
 * later of the two times would outlive the row, and a reload would take the event for lost.
 */
export class WaitingEvents<Index extends Waiting> {
  private readonly entries = new Map<string, Entry>();
  private index: Index | undefined;

  /** @param make - Makes an empty index for what waits. */
  constructor(private readonly make: () => Index) {}

  /** What waits now, as an index; `undefined` when nothing does. */
  get current(): Index | undefined {
    if (this.entries.size === 0) return undefined;
    if (this.index === undefined) {
      this.index = this.make();
      for (const { event, pendingAt } of this.entries.values()) {
        const issuedBefore = pendingAt.issuedBefore ?? null;
        this.index.add({ ...event, ...pendingAt, issuedBefore, position: 0 });
      }
    }
    return this.index;
  }

  /** An answer showed it without a number; again, it counts for longer. */
  add(event: LogEvent, pendingAt: PendingAt): void {
    const known = this.entries.get(event.id)?.pendingAt ?? pendingAt;
    const later: PendingAt = {
      ...pendingAt,
      killsBelow: Math.max(known.killsBelow, pendingAt.killsBelow),
      until: Math.max(known.until, pendingAt.until),
    };
    this.entries.set(event.id, { event, pendingAt: later, isSeen: true });
    this.index = undefined;
  }

  /** It has its number, and counts by its row from here on. */
  numbered(id: string): void {
    if (this.entries.size > 0 && this.entries.delete(id)) this.index = undefined;
  }

  /** Begins a comparison with a reload; see {@link RevocationIndex.beginReload}. */
  unsee(): void {
    for (const entry of this.entries.values()) entry.isSeen = false;
  }

  /**
   * How many that still count were neither told again nor numbered since.
   *
   * @param isTold - Whether a numbered event of the same key was told since: it may have been numbered
   * while this instance was cut off, and purged because a later one covers it.
   */
  countUnseen(nowMs: number, isTold: (event: LogEvent) => boolean): number {
    let missing = 0;
    for (const { event, isSeen, pendingAt } of this.entries.values()) {
      if (!isSeen && pendingAt.until >= nowMs && !isTold(event)) missing++;
    }
    return missing;
  }

  sweep(nowMs: number): number {
    const before = this.entries.size;
    for (const [id, { pendingAt }] of this.entries) {
      if (pendingAt.until < nowMs) this.numbered(id);
    }
    return before - this.entries.size;
  }

  /** Adds what waits to the figures of what is numbered. */
  addTo(stats: IndexStats): IndexStats {
    const waiting = this.current?.stats();
    if (waiting === undefined) return stats;
    const kinds = Object.keys(stats.byKind) as RevocationKind[];
    const sums = kinds.map((kind) => [kind, stats.byKind[kind] + waiting.byKind[kind]]);
    return {
      entries: stats.entries + waiting.entries,
      bytes: stats.bytes + waiting.bytes,
      byKind: Object.fromEntries(sums) as IndexStats['byKind'],
    };
  }
}
