import { setImmediate } from 'node:timers/promises';
import { eventOf, type Head } from '../../database/log.statements.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import type { RevocationIndex } from '../index/revocation-index.js';
import type { ClockCheck } from '../log/clock-check.service.js';
import { readKeptHead } from '../log/log-history.js';
import type { OpenLog } from '../log/open-log.js';

/** Rows of one page. More block the event loop while the driver reads them: 2,000 took 110 ms on PostgreSQL. */
const PAGE = 1_000;

/** The result of a load. */
export interface LoadedLog {
  /** Read before the pages; polls go on from here. */
  readonly head: Head;
  readonly logId: string;
  readonly count: number;
  /** Events that had expired by this time were left out; `undefined`: none were, the clocks differ. */
  readonly forgettable: number | undefined;
}

/**
 * Reads all events that can still revoke a token into the index (F7): pages up to a head that is read
 * first, with a turn of the event loop between them, so that a million rows block nothing.
 *
 * It reads on the feed's connection, so that it does not wait behind callers. It merges and never
 * replaces: what is known stays known (H1). If the log may not be the known one, it jumps first (H2, H3).
 */
export async function loadLog(
  log: OpenLog,
  index: RevocationIndex,
  clock: AuthClock,
  clocks: Pick<ClockCheck, 'forgettingTime'>,
): Promise<LoadedLog> {
  const { database, statements } = log;
  const { head, logId } = await readKeptHead(log, clock, 'feed');
  const forgettable = clocks.forgettingTime(head.now);
  let after = 0;
  let count = 0;
  for (;;) {
    const statement = statements.page(after, head.position, forgettable ?? 0, PAGE);
    const page = await database.read(statement, 'feed');
    for (const event of page.rows.map(eventOf)) {
      index.add(event);
      after = event.position ?? after;
    }
    count += page.rows.length;
    if (page.rows.length < PAGE) return { head, logId, count, forgettable };
    await setImmediate();
  }
}
