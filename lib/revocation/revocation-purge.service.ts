import { Injectable, Logger } from '@nestjs/common';
import { AuthClock, type CancelSchedule } from '../context/auth-clock.js';
import { LogConnection } from './log-connection.service.js';
import { messageOf } from './message-of.js';
import { purgeLog, type PurgeSweep } from './purge-log.js';

/** Between two looks for expired rows (ms). */
const INTERVAL = 60_000;

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
    const run = { sweeps: this.others, isStopped: () => this.stopped };
    return (await purgeLog(log, this.clock, run)) ?? 0;
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
      this.logger.warn(`Expired revocations were not purged: ${messageOf(error)}`);
    }
  }
}
