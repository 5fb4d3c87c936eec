import { setImmediate } from 'node:timers/promises';
import type { AuthClock } from '../../platform/auth-clock.js';
import type { CoveredEvents } from './covered-events.js';
import { PurgeClaim, type PurgedLog } from './purge-claim.js';
import { headOf, integerOf } from '../../database/log-rows.js';
import { PURGE_AGE } from './log.transactions.js';

/** Rows deleted in one transaction: few enough that a logout beside it does not notice. */
const RANGE = 500;

/**
 * Purges one sort of rows.
 *
 * @param now - The time by which rows have expired (epoch ms).
 * @param isStopped - Whether it is to stop between two transactions.
 * @param onDeleted - Called with the number of rows that each transaction deleted; it renews the claim.
 * @returns how many rows were deleted.
 */
export type PurgeSweep = (
  now: number,
  isStopped: () => boolean,
  onDeleted?: (count: number) => void | Promise<void>,
) => Promise<number>;

/** How {@link purgeLog} goes on and what it reports. */
export interface PurgeRun {
  readonly sweeps: readonly PurgeSweep[];
  readonly isStopped: () => boolean;
  readonly covered: CoveredEvents;
  /** The time by which something may be forgotten, of the database's; `undefined`: nothing may. */
  readonly forgettingTime: (databaseNow: number) => number | undefined;
  /** Called with the number of rows that each transaction deleted, and of what. */
  readonly onDeleted?: (count: number, of: 'log' | 'sessions') => void;
}

/** How a purge ended, and how many rows it deleted. */
export interface Purged {
  /** `elsewhere`: another instance is at it. `clocks`: host and database differ by more than a minute. */
  readonly outcome: 'done' | 'elsewhere' | 'clocks';
  readonly deleted: number;
}

/** Purges what has expired, range by range, unless another instance is at it (X1, X2). */
export async function purgeLog(
  log: PurgedLog,
  clock: AuthClock,
  { sweeps, isStopped, covered, forgettingTime, onDeleted }: PurgeRun,
): Promise<Purged> {
  const databaseNow = await readTime(log, clock);
  const now = forgettingTime(databaseNow);
  if (now === undefined) return { outcome: 'clocks', deleted: 0 };
  const claim = await PurgeClaim.take(log, clock, databaseNow);
  if (claim === undefined) return { outcome: 'elsewhere', deleted: 0 };
  let deleted = 0;
  let isLost = false;
  const isOver = (): boolean => isLost || isStopped();
  const after = (of: 'log' | 'sessions') => async (count: number) => {
    deleted += count;
    onDeleted?.(count, of);
    isLost = !(await claim.renew());
  };
  try {
    await sweepEvents(log)(now, isOver, after('log'));
    await sweepCovered(log, covered)(now, isOver, after('log'));
    for (const sweep of sweeps) if (!isOver()) await sweep(now, isOver, after('sessions'));
  } finally {
    await claim.release();
  }
  return { outcome: 'done', deleted };
}

function sweepEvents(log: PurgedLog): PurgeSweep {
  return async (now, isStopped, onDeleted) => {
    let deleted = 0;
    for (let found = RANGE; found === RANGE && !isStopped();) {
      const { rows } = await log.database.read(
        log.statements.findExpired(now, now - PURGE_AGE, RANGE),
      );
      found = rows.length;
      if (found === 0) break;
      const positions = rows.map((row) => integerOf(row['event_position']));
      const count = await log.database.transaction(() => log.transactions.purge(positions));
      deleted += count;
      await onDeleted?.(count);
      await setImmediate();
    }
    return deleted;
  };
}

function sweepCovered(log: PurgedLog, covered: CoveredEvents): PurgeSweep {
  return async (now, isStopped, onDeleted) => {
    let deleted = 0;
    while (!isStopped()) {
      const page = await covered.nextPage(log, now);
      const positions = await covered.find(log, page, RANGE);
      if (positions.length > 0) {
        const count = await log.database.transaction(() => log.transactions.purge(positions));
        deleted += count;
        await onDeleted?.(count);
      } else {
        covered.finish(page);
        if (page.isLast) break;
        await onDeleted?.(0); // a first run looks at the whole log, and the claim must not end before it
      }
      await setImmediate();
    }
    return deleted;
  };
}

async function readTime(log: PurgedLog, clock: AuthClock): Promise<number> {
  const { rows } = await log.database.read(log.statements.position());
  return headOf(rows[0], clock).now;
}
