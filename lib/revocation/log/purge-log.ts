import { setImmediate } from 'node:timers/promises';
import { headOf } from '../../database/log-rows.js';
import { integerOf } from '../../database/entities/table.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import { PURGE_AGE } from './log.transactions.js';
import type { OpenLog } from './open-log.js';

/** The log, as far as a purge needs it. */
type PurgedLog = Pick<OpenLog, 'database' | 'statements' | 'transactions'>;

/** For how long one instance keeps the others from purging (ms); it ends by itself if its holder dies. */
const CLAIM = 30_000;

/** The right to purge, which one instance has at a time (X2). */
class PurgeClaim {
  private readonly taken: number;

  private constructor(
    private readonly log: PurgedLog,
    private readonly clock: AuthClock,
    /** The database's time when it was taken (epoch ms). */
    private readonly now: number,
    private until: number,
  ) {
    this.taken = clock.monotonic();
  }

  /** @returns the claim, or `undefined` while another instance has it. */
  static async take(
    log: PurgedLog,
    clock: AuthClock,
    now: number,
  ): Promise<PurgeClaim | undefined> {
    const until = now + CLAIM;
    const isTaken = await log.database.transaction(function* () {
      const { affected } = yield log.statements.claimPurge(now, until);
      return affected === 1;
    });
    return isTaken ? new PurgeClaim(log, clock, now, until) : undefined;
  }

  /** Renews it after each range, however many there are; `false` when another instance has taken it. */
  async renew(): Promise<boolean> {
    const { database, statements } = this.log;
    const { until } = this;
    const next = Math.round(this.now + (this.clock.monotonic() - this.taken)) + CLAIM;
    if (next === until) return true;
    const affected = await database.transaction(function* () {
      const { affected } = yield statements.renewPurge(until, next);
      return affected;
    });
    if (affected === 1) this.until = next;
    return affected === 1;
  }

  async release(): Promise<void> {
    const { database, statements } = this.log;
    const { until } = this;
    await database.transaction(function* () {
      yield statements.releasePurge(until);
    });
  }
}

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

/** Events that are looked at in one statement: as later ones, which may cover earlier ones. */
const PAGE = 1_000;

/**
 * Finds events that a later one of the same account, issuer or key covers: every token that the older
 * one ends the later one ends too, for as long. So acts that are repeated leave one row each account.
 *
 * The search goes by the later event, and only by one that is older than ten minutes: then every older
 * event of its key, and the successor of each, is as old (X1). Each event is looked at once, in order
 * of position; a run begins where the last one ended.
 */
export class CoveredEvents {
  /** Up to here every event was looked at, and what it covers is deleted. */
  private through = 0;

  /**
   * The next page of events that are old enough.
   *
   * @param now - The time by which may be forgotten (epoch ms).
   */
  async nextPage({ database, statements }: PurgedLog, now: number): Promise<CoveringPage> {
    const { rows } = await database.read(statements.listAges(this.through, PAGE));
    const young = rows.findIndex((row) => integerOf(row['created_at']) >= now - PURGE_AGE);
    const last = (young < 0 ? rows : rows.slice(0, young)).at(-1);
    const through = last === undefined ? this.through : integerOf(last['event_position']);
    return { after: this.through, through, isLast: young >= 0 || rows.length < PAGE };
  }

  /** At most `limit` positions that the events of a page cover; empty once all of them are deleted. */
  async find(
    { database, statements }: PurgedLog,
    { after, through }: CoveringPage,
    limit: number,
  ): Promise<number[]> {
    const { rows } = await database.read(statements.findCovered(after, through, limit));
    return rows.map((row) => integerOf(row['event_position']));
  }

  /** What the page covers is deleted. */
  finish({ through }: CoveringPage): void {
    this.through = through;
  }
}

/** Events above `after` and up to `through`, as the later ones of a search. */
interface CoveringPage {
  readonly after: number;
  readonly through: number;
  readonly isLast: boolean;
}
