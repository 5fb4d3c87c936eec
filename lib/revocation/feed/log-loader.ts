import { Logger } from '@nestjs/common';
import { setImmediate } from 'node:timers/promises';
import { type EventPage, pageOf } from '../../database/event-page.js';
import type { Head } from '../../database/log.statements.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import type { RevocationIndex } from '../index/revocation-index.js';
import type { ClockCheck } from '../log/clock-check.service.js';
import { readKeptHead } from '../log/log-history.js';
import type { OpenLog } from '../log/open-log.js';

/** Events of one page: adding them takes a few milliseconds, in which nothing else runs. */
export const LOAD_PAGE = 2_500;

/** After so long (ms), and each time after as long again, a load says how far it is. */
const QUIET = 5_000;

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
 * first. While one is added, the database makes the next; between two, others get a turn of the event
 * loop.
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
  const read = async (after: number): Promise<EventPage> => {
    const statement = statements.page(after, head.position, forgettable ?? 0, LOAD_PAGE);
    return pageOf((await database.read(statement, 'feed')).rows);
  };
  const progress = new LoadProgress(clock);
  let page = await read(0);
  let count = 0;
  for (;;) {
    const isLast = page.count < LOAD_PAGE;
    const next = isLast ? undefined : read(page.last);
    const adding = addAll(page, index);
    // One that fails leaves no statement behind on the feed's connection.
    await Promise.allSettled([next, adding]);
    await adding;
    count += page.count;
    progress.tell(count, isLast);
    if (next === undefined) return { head, logId, count, forgettable };
    page = await next;
  }
}

/** The turn of the event loop also sends the statement of the next page. */
async function addAll(page: EventPage, index: RevocationIndex): Promise<void> {
  await setImmediate();
  for (const event of page.events()) index.add(event);
}

/** Says how far a load is that takes long; a short one prints nothing. */
class LoadProgress {
  private readonly logger = new Logger('RevocationFeed');
  private readonly started: number;
  private due: number;

  constructor(private readonly clock: Pick<AuthClock, 'monotonic'>) {
    this.started = clock.monotonic();
    this.due = this.started + QUIET;
  }

  tell(count: number, isDone: boolean): void {
    const now = this.clock.monotonic();
    const isLong = now >= this.started + QUIET;
    if (now < this.due && !(isLong && isDone)) return;
    this.due = now + QUIET;
    const seconds = Math.round((now - this.started) / 1_000);
    this.logger.log(
      `The revocation log ${isDone ? 'is loaded' : 'is being loaded'}: ${count} events in ${seconds} s.`,
    );
  }
}
