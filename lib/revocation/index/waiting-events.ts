import type { LogEvent, RevocationKind } from '../../database/entities/revocation-event.entity.js';

/**
 * The provisional values of a pending event until it is numbered, from the answer that contained it
 * (C2, C3).
 */
export interface PendingAt {
  /** The head of that answer + 1. */
  readonly killsBelow: number;
  /** The time of the last proof that contained it + the longest token lifetime (epoch ms). */
  readonly until: number;
  /** The database time of that answer + the allowed skew (epoch ms), for tokens without `gen`. */
  readonly issuedBefore?: number | undefined;
}

/** The size of the index, for metrics. */
export interface IndexStats {
  readonly entries: number;
  /** The bytes of the tables, without `key` events. */
  readonly bytes: number;
  readonly byKind: Readonly<Record<RevocationKind, number>>;
}

/** The part of an index that is used here. */
interface EventIndex {
  add(event: LogEvent): void;
  stats(): IndexStats;
}

interface Entry {
  readonly event: LogEvent;
  readonly pendingAt: PendingAt;
  isSeen: boolean;
}

/**
 * Committed events of callers' transactions that have no position yet, in an index of their own. A
 * pending event expires one longest token lifetime after the last proof that contained it. Once it
 * has a position, its row has an expiry of its own, and the pending event is removed. If both were
 * merged, the entry would keep the later expiry and outlive the row, and a reload would report the
 * event as lost.
 */
export class WaitingEvents<Index extends EventIndex> {
  /**
   * The number of pending events. It is a field and not a getter, because each request reads it.
   */
  size = 0;
  private readonly entries = new Map<string, Entry>();
  private index: Index | undefined;

  /** @param make - Makes an empty index. */
  constructor(private readonly make: () => Index) {}

  /**
   * The pending events as an index, which is rebuilt after a change: they are few and change
   * rarely.
   */
  get current(): Index {
    if (this.index === undefined) {
      this.index = this.make();
      for (const { event, pendingAt } of this.entries.values()) {
        const issuedBefore = pendingAt.issuedBefore ?? null;
        this.index.add({ ...event, ...pendingAt, issuedBefore, position: 0 });
      }
    }
    return this.index;
  }

  /** Adds a pending event, or extends its expiry. */
  add(event: LogEvent, pendingAt: PendingAt): void {
    const known = this.entries.get(event.id)?.pendingAt ?? pendingAt;
    const later: PendingAt = {
      ...pendingAt,
      killsBelow: Math.max(known.killsBelow, pendingAt.killsBelow),
      until: Math.max(known.until, pendingAt.until),
    };
    this.entries.set(event.id, { event, pendingAt: later, isSeen: true });
    this.changed();
  }

  /** Removes an event that now has a position and an entry in the main index. */
  numbered(id: string): void {
    if (this.entries.delete(id)) this.changed();
  }

  private changed(): void {
    this.size = this.entries.size;
    this.index = undefined;
  }

  /** See {@link RevocationIndex.beginReload}. */
  unsee(): void {
    for (const entry of this.entries.values()) entry.isSeen = false;
  }

  /**
   * How many unexpired pending events were neither seen again nor numbered since.
   *
   * @param isCovered - Whether a numbered event with the same key was seen. While this instance was
   * offline, the pending event may have been numbered, and then purged because that later event
   * covers it.
   */
  countUnseen(nowMs: number, isCovered: (event: LogEvent) => boolean): number {
    let missing = 0;
    for (const { event, isSeen, pendingAt } of this.entries.values()) {
      if (!isSeen && pendingAt.until >= nowMs && !isCovered(event)) missing++;
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

  /** Adds the pending events to the figures of the numbered ones. */
  addTo(stats: IndexStats): IndexStats {
    const waiting = this.current.stats();
    const kinds = Object.keys(stats.byKind) as RevocationKind[];
    const sums = kinds.map((kind) => [kind, stats.byKind[kind] + waiting.byKind[kind]]);
    return {
      entries: stats.entries + waiting.entries,
      bytes: stats.bytes + waiting.bytes,
      byKind: Object.fromEntries(sums) as IndexStats['byKind'],
    };
  }
}
