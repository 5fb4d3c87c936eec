import { Injectable, Logger } from '@nestjs/common';
import { AuthMeter } from '../../events/auth-meter.service.js';
import { AuthClock, type CancelSchedule } from '../../platform/auth-clock.js';
import { messageOf } from '../../platform/log-text.js';
import { ClockCheck } from './clock-check.service.js';
import { LogConnection } from './log-connection.service.js';
import { CoveredEvents, purgeLog, type PurgeSweep } from './purge-log.js';

/** Between two looks for expired rows (ms). */
const INTERVAL = 60_000;

/**
 * Deletes events that can end no token any more, by the earlier of the clocks of host and database, and
 * nothing while they differ: no single wrong clock deletes the rows of live tokens (T2).
 */
@Injectable()
export class RevocationPurge {
  private readonly logger = new Logger('RevocationPurge');
  private readonly others: PurgeSweep[] = [];
  private readonly covered = new CoveredEvents();
  private cancel: CancelSchedule | undefined;
  private running: Promise<unknown> | undefined;
  private stopped = false;

  constructor(
    private readonly connection: LogConnection,
    private readonly clock: AuthClock,
    private readonly meter: AuthMeter,
    private readonly clocks: ClockCheck,
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
   * Purges what has expired, range by range, unless another instance is at it or the clocks differ.
   *
   * @returns how many rows were deleted.
   */
  async purge(): Promise<number> {
    const log = await this.connection.open();
    const { outcome, deleted } = await purgeLog(log, this.clock, {
      sweeps: this.others,
      covered: this.covered,
      isStopped: () => this.stopped,
      forgettingTime: (databaseNow) => this.clocks.forgettingTime(databaseNow),
      onDeleted: (count, of) => this.meter.count('purgedRows', of, count),
    });
    this.meter.count('purges', outcome);
    return deleted;
  }

  /** Says that this instance is still there, and forgets those that are not. */
  async renewPresence(): Promise<void> {
    const { database, instance } = await this.connection.open();
    await database.transaction(() => instance.renew());
    await database.transaction(() => instance.forgetOthers());
  }

  private plan(): void {
    if (this.stopped) return;
    this.cancel = this.clock.schedule(INTERVAL * (0.75 + Math.random() * 0.5), () => {
      this.running = this.look().finally(() => this.plan());
    });
  }

  private async look(): Promise<void> {
    try {
      await this.renewPresence();
      await this.purge();
    } catch (error) {
      this.meter.count('purges', 'failed');
      this.logger.warn(`Expired revocations were not purged: ${messageOf(error)}`);
    }
  }
}
