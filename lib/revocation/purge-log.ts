import { setImmediate } from 'node:timers/promises';
import type { AuthClock } from '../context/auth-clock.js';
import type { OpenLog } from './open-log.js';
import { headOf, integerOf } from './store/log-rows.js';
import { PURGE_AGE } from './store/log.transactions.js';

/** Rows deleted in one transaction: few enough that a logout beside it does not notice. */
const RANGE = 500;

/** For how long one instance keeps the others from purging (ms); it runs out if its holder dies. */
const CLAIM = 30_000;

/** The log, as far as a purge needs it. */
export type PurgedLog = Pick<OpenLog, 'database' | 'statements' | 'transactions'>;

/**
 * Purges one sort of rows.
 *
 * @param now - The database's time (epoch ms).
 * @param isStopped - Whether it is to stop between two transactions.
 * @param onDeleted - Told how many rows each transaction deleted.
 * @returns how many rows were deleted.
 */
export type PurgeSweep = (
  now: number,
  isStopped: () => boolean,
  onDeleted?: (count: number) => void,
) => Promise<number>;

/** How {@link purgeLog} goes on and what it tells. */
export interface PurgeRun {
  readonly sweeps: readonly PurgeSweep[];
  readonly isStopped: () => boolean;
  readonly onDeleted?: (count: number) => void;
}

/**
 * Purges what has expired, range by range, unless somebody else is at it (X1, X2).
 *
 * @returns how many rows were deleted; `undefined` when another one holds the claim.
 */
export async function purgeLog(
  log: PurgedLog,
  clock: AuthClock,
  { sweeps, isStopped, onDeleted }: PurgeRun,
): Promise<number | undefined> {
  const now = await databaseNow(log, clock);
  if (!(await claim(log, now))) return undefined;
  let deleted = 0;
  try {
    for (const sweep of [sweepEvents(log), ...sweeps]) {
      if (!isStopped()) deleted += await sweep(now, isStopped, onDeleted);
    }
  } finally {
    await release(log, now);
  }
  return deleted;
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
      onDeleted?.(count);
      await setImmediate();
    }
    return deleted;
  };
}

async function databaseNow(log: PurgedLog, clock: AuthClock): Promise<number> {
  const { rows } = await log.database.read(log.statements.position());
  return headOf(rows[0], clock).now;
}

async function claim({ database, statements }: PurgedLog, now: number): Promise<boolean> {
  return database.transaction(function* () {
    const { affected } = yield statements.claimPurge(now, now + CLAIM);
    return affected === 1;
  });
}

async function release({ database, statements }: PurgedLog, now: number): Promise<void> {
  await database.transaction(function* () {
    yield statements.releasePurge(now + CLAIM);
  });
}
