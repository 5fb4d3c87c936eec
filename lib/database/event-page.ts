import type { LogEvent } from './entities/revocation-event.entity.js';
import { integerOf } from './entities/table.js';
import { eventOf } from './log.statements.js';
import type { Row } from './statement.js';

/** One page of the log. */
export interface EventPage {
  readonly count: number;
  /** The position of the last event; 0 for an empty page. */
  readonly last: number;
  readonly events: () => LogEvent[];
}

/**
 * Reads the result of one page of a load: one row for each event, or a single row with a list for each
 * column. From a list the driver makes one string for all events instead of one for each. Those strings
 * took half the time of a load.
 */
export function pageOf(rows: readonly Row[]): EventPage {
  const [row] = rows;
  if (row === undefined || row['event_count'] === undefined) {
    const last = Number(rows.at(-1)?.['event_position'] ?? 0);
    return { count: rows.length, last, events: () => rows.map(eventOf) };
  }
  const count = integerOf(row['event_count']);
  if (count === 0) return { count, last: 0, events: () => [] };
  return { count, last: integerOf(row['last_position']), events: () => eventsOf(row, count) };
}

/** @throws Error for an incomplete list, because a server may cut off a result that is too long. */
function eventsOf(page: Row, count: number): LogEvent[] {
  const list = (as: string): string[] => {
    const texts = (page[as] ?? '').split(',');
    // Each text is followed by a comma, so the last part is empty.
    if (texts.length === count + 1 && texts[count] === '') return texts;
    throw new Error(`A page of ${count} events came with an incomplete list of ${as}.`);
  };
  const [positions, ids, kinds] = [list('event_position'), list('event_id'), list('kind')];
  const [keys, limits, exceptions] = [list('event_key'), list('kills_below'), list('except_key')];
  const [access, issued, until] = [list('access_only'), list('issued_before'), list('keep_until')];
  const reasons = list('reason');
  return Array.from({ length: count }, (_, index) =>
    eventOf({
      event_position: positions[index] as string,
      event_id: ids[index] as string,
      kind: kinds[index] as string,
      event_key: keys[index] as string,
      kills_below: limits[index] || null,
      except_key: exceptions[index] || null,
      access_only: access[index] as string,
      issued_before: issued[index] || null,
      keep_until: until[index] || null,
      reason: reasons[index] as string,
    }),
  );
}
