import { Injectable, Logger } from '@nestjs/common';
import { setImmediate } from 'node:timers/promises';
import { AuthClock, type CancelSchedule } from '../context/auth-clock.js';
import { LogConnection } from './log-connection.service.js';
import type { OpenLog } from './open-log.js';
import { headOf, integerOf } from './store/log-rows.js';
import { PURGE_AGE } from './store/log.transactions.js';

/** Rows deleted in one transaction: few enough that a logout beside it does not notice. */
const RANGE = 500;

/** Between two looks for expired rows (ms). */
const INTERVAL = 60_000;

/** For how long one instance keeps the others from purging (ms); it runs out if its holder dies. */
const CLAIM = 30_000;

/**
 * Purges one sort of rows.
 *
 * @param now - The database's time (epoch ms).
 * @param isStopped - Whether the application shuts down; then it stops between two transactions.
 * @returns how many rows were deleted.
 */
export type PurgeSweep = (now: number, isStopped: () => boolean) => Promise<number>;

/**
 * Deletes events that can end no token any more, by the database's clock alone: a host whose clock is
 * fast must not delete the rows of live tokens (T2).
 */
@Injectable()
export class RevocationPurge {
  private readonly logger = new Logger('RevocationPurge');
  private readonly others: PurgeSweep[] = [];
  private cancel: CancelSchedule | undefined;
  private running: Promise<unknown> | undefined;
  private stopped = false;

  constructor(
    private readonly connection: LogConnection,
    private readonly clock: AuthClock,
  ) {}

  /** Something else that is to be purged after the events, by one instance at a time. */
  alsoPurge(sweep: PurgeSweep): void {
    this.others.push(sweep);
  }

  start(): void {
    this.plan();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancel?.();
    await this.running;
  }

  /**
   * Purges what has expired, range by range, unless another instance is at it.
   *
   * @returns how many rows were deleted.
   */
  async purge(): Promise<number> {
    const log = await this.connection.open();
    const now = await this.databaseNow(log);
    if (!(await this.claim(log, now))) return 0;
    let deleted = 0;
    try {
      while (!this.stopped) {
        const positions = await this.expired(log, now);
        if (positions.length === 0) break;
        deleted += await log.database.transaction(() => log.transactions.purge(positions));
        if (positions.length < RANGE) break;
        await setImmediate();
      }
      for (const sweep of this.others) {
        if (!this.stopped) deleted += await sweep(now, () => this.stopped);
      }
    } finally {
      await this.release(log, now);
    }
    return deleted;
  }

  private async expired(log: OpenLog, now: number): Promise<number[]> {
    const statement = log.statements.findExpired(now, now - PURGE_AGE, RANGE);
    const { rows } = await log.database.read(statement);
    return rows.map((row) => integerOf(row['event_position']));
  }

  private async databaseNow(log: OpenLog): Promise<number> {
    const { rows } = await log.database.read(log.statements.position());
    return headOf(rows[0], this.clock).now;
  }

  private async claim(log: OpenLog, now: number): Promise<boolean> {
    const { statements } = log;
    return log.database.transaction(function* () {
      const { affected } = yield statements.claimPurge(now, now + CLAIM);
      return affected === 1;
    });
  }

  private async release(log: OpenLog, now: number): Promise<void> {
    const { statements } = log;
    await log.database.transaction(function* () {
      yield statements.releasePurge(now + CLAIM);
    });
  }

  private plan(): void {
    if (this.stopped) return;
    this.cancel = this.clock.schedule(INTERVAL * (0.75 + Math.random() * 0.5), () => {
      this.running = this.purge()
        .catch((error: unknown) => {
          this.logger.warn(`Expired revocations were not purged: ${String(error)}`);
        })
        .finally(() => this.plan());
    });
  }
}
