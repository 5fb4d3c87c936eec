import type { AuthClock } from '../../platform/auth-clock.js';
import type { OpenLog } from './open-log.js';

/** The log, as far as a purge needs it. */
export type PurgedLog = Pick<OpenLog, 'database' | 'statements' | 'transactions'>;

/** For how long one instance keeps the others from purging (ms); it ends by itself if its holder dies. */
const CLAIM = 30_000;

/** The right to purge, which one instance has at a time (X2). */
export class PurgeClaim {
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
