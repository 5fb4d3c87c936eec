import { Logger } from '@nestjs/common';
import { setImmediate } from 'node:timers/promises';
import { type EventPage, pageOf } from '../../database/event-page.js';
import type { Head } from '../../database/log.statements.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import type { RevocationIndex } from '../index/revocation-index.js';
import type { ClockCheck } from '../log/clock-check.service.js';
import { readKeptHead } from '../log/log-history.js';
import type { OpenLog } from '../log/open-log.js';

/**
 * The number of events in a page. Adding a page takes a few milliseconds, which block the event
 * loop.
 */
export const LOAD_PAGE = 2_500;

/**
 * A load that takes longer than this logs its progress, and again each time that this time has
 * passed (ms).
 */
const QUIET = 5_000;

/** The result of a load. */
export interface LoadedLog {
  /** The head that was read before the pages. Polls continue from it. */
  readonly head: Head;
  readonly logId: string;
  readonly count: number;
  /**
   * Events that expired before this time (epoch ms) were left out. `undefined` if none were,
   * because the clocks differ.
   */
  readonly forgettable: number | undefined;
}

/**
 * Loads all events that can still revoke a token into the index (F7). It reads the head first and
 * then the pages up to it, so that polls can continue from the head without a gap. While a page is
 * added, the database prepares the next one. Between two pages, requests get a turn of the event
 * loop.
 *
 * It reads on the connection of the feed, so that it does not wait for connections of a pool. It
 * merges into the index and removes nothing, so a revoked token stays revoked even if the database
 * has lost the event (H1). If the log may have lost commits, it jumps first (H2, H3).
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
    // If one of the two fails, the other is still awaited, so that no statement is left running on
    // the connection of the feed.
    await Promise.allSettled([next, adding]);
    await adding;
    count += page.count;
    progress.tell(count, isLast);
    if (next === undefined) return { head, logId, count, forgettable };
    page = await next;
  }
}

/**
 * Adds the events of a page, after a turn of the event loop in which the statement of the next page
 * is sent.
 */
async function addAll(page: EventPage, index: RevocationIndex): Promise<void> {
  await setImmediate();
  for (const event of page.events()) index.add(event);
}

/** Logs the progress of a long load. A short load logs nothing. */
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
