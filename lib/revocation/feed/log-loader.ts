import { setImmediate } from 'node:timers/promises';
import { eventOf, type Head, headOf } from '../../database/log-rows.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import type { RevocationIndex } from '../index/revocation-index.js';
import type { ClockCheck } from '../log/clock-check.service.js';
import { jump } from '../log/log-history.js';
import type { OpenLog } from '../log/open-log.js';

/** More rows than this hold up the event loop while the driver reads them: 5,000 took 130 ms on PostgreSQL, 2,000 took 110. */
const PAGE = 1_000;

/** What a load found. */
export interface LoadedLog {
  /** Read first; polls go on from here. */
  readonly head: Head;
  readonly logId: string;
  readonly count: number;
  /** The time by which what had expired was left out; `undefined`: nothing was, the clocks differ. */
  readonly forgettable: number | undefined;
}

/**
 * Reads everything that can still end a token into the index: keyset pages up to the head that was
 * read first, yielding between pages, so that a million rows stall nothing (F7).
 *
 * It reads on the feed's connection, so that it does not wait behind callers (S1).
 *
 * It merges and never replaces: what is known stays known (H1). If the log is not surely the one that
 * was known before, it jumps first (H2, H3).
 */
export async function loadLog(
  log: OpenLog,
  index: RevocationIndex,
  clock: AuthClock,
  clocks: Pick<ClockCheck, 'forgettingTime'>,
): Promise<LoadedLog> {
  const { database, statements } = log;
  const { head, logId } = await keptHead(log, clock);
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

type Start = Pick<LoadedLog, 'head' | 'logId'>;

async function keptHead(log: OpenLog, clock: AuthClock): Promise<Start> {
  const { seen } = log.history;
  const start = await readHead(log, clock);
  if (log.history.whyLost(start.head, seen) === undefined) return start;
  await jump(log, undefined, 'feed');
  return readHead(log, clock);
}

async function readHead(log: OpenLog, clock: AuthClock): Promise<Start> {
  const { rows } = await log.database.read(log.statements.position(), 'feed');
  log.history.identify(rows[0]?.['log_id']);
  return { head: headOf(rows[0], clock), logId: rows[0]?.['log_id'] ?? '' };
}
