import { Injectable } from '@nestjs/common';
import {
  isKnownKind,
  type LogEvent,
  SUPPORTED_FORMAT,
} from '../../database/entities/revocation-event.entity.js';
import type { Head, HeadBefore } from '../../database/log.statements.js';
import type { Answer } from '../log/open-log.js';

/**
 * The most pending events that one answer may contain. If there are more, they are numbered first.
 */
export const PENDING_LIMIT = 1_000;

/**
 * The cursor and the expected ids at the time a poll was sent. Its answer is compared with them and
 * not with later values, because own writes may advance the cursor meanwhile (F2).
 */
export interface CursorSnapshot {
  readonly position: number;
  readonly eventId: string | null;
  readonly expected: ReadonlyMap<string, number | null>;
}

/**
 * The verdict about an answer to a poll.
 *
 * - `current`: it is right and reaches the head, so it is a proof of freshness.
 * - `behind`: it is right, but there are more events.
 * - `crowded`: it is right, but more events are pending than one answer can hold.
 * - `reload`: the purge deleted events that this instance has not read (X3).
 * - `fork`: it contradicts what this instance knows, so a history was lost (H1).
 * - `unsupported`: a newer release wrote something that this one does not understand (H5).
 */
export type Judgement =
  | { readonly kind: 'current' | 'behind' | 'crowded' | 'reload' }
  | { readonly kind: 'fork' | 'unsupported'; readonly why: string };

/**
 * Keeps how far this instance has followed the log, and checks every answer of the database against
 * it (F2, F3, X3, H5).
 *
 * It trusts no answer: after a failover or a restored backup, a server can answer correctly from
 * another history.
 */
@Injectable()
export class LogCursor {
  /**
   * The last position that was applied; 0 before the first load. It is a field and not a getter,
   * because each guarded request reads it (G5).
   */
  position = 0;
  private eventId: string | null = null;
  /** The id of the log that was loaded; `undefined` before the first complete load (P4, F7). */
  private logId: string | undefined;
  /** The position of the head in the last answer. */
  private head = 0;
  /**
   * Ids that later answers must contain, with their positions: own writes above the cursor, and
   * pending events (`null`).
   */
  private readonly expected = new Map<string, number | null>();
  /** Ids of own writes since the last poll was sent. Its answer may still show them as pending. */
  private readonly writtenSince = new Set<string>();

  get isLoaded(): boolean {
    return this.logId !== undefined;
  }

  /**
   * How many positions the head of the last answer is ahead of the cursor. It is large after a
   * jump.
   */
  get lag(): number {
    return Math.max(0, this.head - this.position);
  }

  /**
   * Sets the cursor after a load, and drops what was expected of another history.
   *
   * @param head - The head that the load read before its pages.
   */
  start(logId: string, { position, lastEventId }: Head): void {
    this.logId = logId;
    this.position = position;
    this.eventId = lastEventId;
    this.expected.clear();
    this.writtenSince.clear();
  }

  /**
   * Records own writes that were committed under this head. An answer to a later poll without them
   * is a fork (F3).
   *
   * If the head was at the cursor, the cursor advances past the writes, which saves reading them
   * again. Otherwise only a poll shows what is in between.
   */
  expect(events: readonly LogEvent[], head: HeadBefore): void {
    if (this.logId === undefined) return;
    const continues = head.position === this.position && head.lastEventId === this.eventId;
    for (const { id, position } of events.toSorted(byPosition)) {
      this.writtenSince.add(id);
      if (position === null || position <= this.position) continue;
      if (continues && position === this.position + 1) {
        this.position = position;
        this.eventId = id;
        // The event may have been expected as pending. The cursor has passed it, so later answers
        // do not contain it.
        this.expected.delete(id);
      } else {
        this.expected.set(id, position);
      }
    }
  }

  /**
   * Call it just before a poll is sent. It also resets the ids of own writes since the last poll.
   */
  snapshot(): CursorSnapshot {
    this.writtenSince.clear();
    return {
      position: this.position,
      eventId: this.eventId,
      expected: this.expected.size === 0 ? this.expected : new Map(this.expected),
    };
  }

  /**
   * Checks an answer against the snapshot of the moment its poll was sent.
   *
   * @param limit - The page size of the statement.
   */
  judge(answer: Answer, sent: CursorSnapshot, limit: number): Judgement {
    const { head, events } = answer;
    this.head = head.position;
    if (answer.logId !== this.logId) return fork('another log answered');
    if (head.format > SUPPORTED_FORMAT) {
      return unsupported(`the log has format ${head.format}`);
    }
    if (head.position < sent.position) {
      return fork(`the head is at ${head.position}, this instance at ${sent.position}`);
    }
    const stranger = [...events, ...answer.pending].find(({ kind }) => !isKnownKind(kind));
    if (stranger !== undefined) return unsupported(`it holds an event of kind "${stranger.kind}"`);

    const atCursor = events[0]?.position === sent.position ? events[0] : undefined;
    if (sent.position > 0) {
      if (atCursor === undefined) {
        if (sent.position <= head.purgedThrough) return { kind: 'reload' };
        return fork(`the event at position ${sent.position} is gone`);
      }
      if (atCursor.id !== sent.eventId) {
        return fork(`another event is at position ${sent.position}`);
      }
    }
    if (head.position === sent.position && head.lastEventId !== sent.eventId) {
      return fork(`the head's last event is not the one at position ${sent.position}`);
    }
    const gap = gapIn(events, sent.position, head, limit);
    if (gap !== undefined) return fork(`position ${gap} is missing`);
    const isCrowded = answer.pending.length > PENDING_LIMIT;
    const complete = !isCrowded && reached(events, sent.position) === head.position;
    const missing = this.missing(answer, sent, complete);
    if (missing !== undefined) {
      if (head.purgedThrough > sent.position) return { kind: 'reload' };
      return fork(`the known event ${missing} is missing`);
    }
    if (complete) return { kind: 'current' };
    return { kind: isCrowded ? 'crowded' : 'behind' };
  }

  /** Moves the cursor past an answer that {@link judge} found right. */
  advance(answer: Answer): void {
    const last = answer.events.at(-1);
    if (last?.position !== undefined && last.position !== null && last.position > this.position) {
      this.position = last.position;
      this.eventId = last.id;
    }
    for (const { id } of answer.events) this.expected.delete(id);
    for (const [id, position] of this.expected) {
      if (position !== null && position <= this.position) this.expected.delete(id);
    }
    for (const { id } of this.waiting(answer)) this.expected.set(id, null);
  }

  /**
   * The pending events of an answer, without those that this instance has numbered since the poll
   * was sent.
   */
  waiting({ pending }: Answer): LogEvent[] {
    return pending.filter(({ id }) => !this.writtenSince.has(id));
  }

  /** An expected id that the answer should contain but does not; `undefined` if there is none. */
  private missing(answer: Answer, sent: CursorSnapshot, complete: boolean): string | undefined {
    const isMoved = this.position > sent.position;
    if (sent.expected.size === 0 && this.expected.size === 0 && !isMoved) return undefined;
    const seen = new Set([...answer.events, ...answer.pending].map(({ id }) => id));
    const through = reached(answer.events, sent.position);
    for (const [id, position] of sent.expected) {
      const due = position === null ? complete : position <= through;
      if (due && !seen.has(id)) return id;
    }
    // Events written since the poll was sent may be in the answer or not. An answer that reaches
    // their position must contain them.
    for (const [id, position] of this.expected) {
      const due = position !== null && position > sent.position && position <= through;
      if (due && !seen.has(id)) return id;
    }
    // The cursor may have moved past own writes since the poll was sent. An answer that reaches
    // that far must contain the last of them.
    const atOwn = isMoved && this.position <= through ? this.eventId : null;
    return atOwn === null || seen.has(atOwn) ? undefined : atOwn;
  }
}

function byPosition(one: LogEvent, other: LogEvent): number {
  return (one.position ?? 0) - (other.position ?? 0);
}

/** The last position that an answer covers. */
function reached(events: readonly LogEvent[], cursor: number): number {
  return Math.max(cursor, events.at(-1)?.position ?? 0);
}

/** The first position above `purgedThrough` that the answer should contain and does not. */
function gapIn(
  events: readonly LogEvent[],
  cursor: number,
  head: Head,
  limit: number,
): number | undefined {
  let next = cursor + 1;
  for (const { position } of events) {
    if (position === null || position <= cursor) continue;
    const firstRequired = Math.max(next, head.purgedThrough + 1);
    if (position > firstRequired) return firstRequired;
    next = position + 1;
  }
  const isPageFull = events.length >= limit;
  return !isPageFull && next <= head.position ? Math.max(next, head.purgedThrough + 1) : undefined;
}

function fork(why: string): Judgement {
  return { kind: 'fork', why };
}

function unsupported(why: string): Judgement {
  return { kind: 'unsupported', why };
}
