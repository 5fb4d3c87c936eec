import { Inject, Injectable, Logger } from '@nestjs/common';
import { AuthMeter } from '../../events/auth-meter.service.js';
import { SharedCall } from '../../platform/async-calls.js';
import { AuthClock, type CancelSchedule } from '../../platform/auth-clock.js';
import { messageOf } from '../../platform/log-text.js';
import { ClockCheck } from './clock-check.service.js';
import { LogConnection } from './log-connection.service.js';
import { purgeLog, type PurgeSweep } from './purge-log.js';

/** What is purged after the events, by one instance at a time. */
export const PURGE_SWEEPS = Symbol('nestjs-logout:purge-sweeps');

/** Between two purges (ms). */
const INTERVAL = 60_000;

/**
 * Deletes events that no live token needs any more, about once a minute, and renews the heartbeat of this
 * instance. It goes by the earlier of the host's and the database's clock, and deletes nothing while they
 * differ: one wrong clock must not delete the rows of live tokens (T2).
 */
@Injectable()
export class RevocationPurge {
  private readonly logger = new Logger('RevocationPurge');
  private readonly covered = { through: 0 };
  private cancel: CancelSchedule | undefined;
  private readonly rounds = new SharedCall(() => this.look());
  private stopped = false;

  constructor(
    private readonly connection: LogConnection,
    private readonly clock: AuthClock,
    private readonly meter: AuthMeter,
    private readonly clocks: ClockCheck,
    @Inject(PURGE_SWEEPS) private readonly sweeps: readonly PurgeSweep[],
  ) {}

  /** Plans the next purge, at a random moment around a minute from now: instances take turns. */
  start(): void {
    if (this.stopped) return;
    const wait = INTERVAL * (0.75 + Math.random() * 0.5);
    this.cancel = this.clock.schedule(wait, () => void this.rounds.join());
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancel?.();
    await this.rounds.idle();
  }

  /**
   * Purges what has expired, range by range, unless another instance is at it or the clocks differ.
   *
   * @returns how many rows were deleted.
   */
  async purge(): Promise<number> {
    const log = await this.connection.open();
    const { outcome, deleted } = await purgeLog(log, this.clock, {
      sweeps: this.sweeps,
      covered: this.covered,
      isStopped: () => this.stopped,
      forgettingTime: (databaseNow) => this.clocks.forgettingTime(databaseNow),
      onDeleted: (count, of) => (this.meter.purgedRows[of] += count),
    });
    this.meter.purges[outcome]++;
    return deleted;
  }

  /** Renews the heartbeat of this instance, and deletes the rows of instances that stopped. */
  async renewPresence(): Promise<void> {
    const { database, instance } = await this.connection.open();
    await database.transaction(() => instance.renew());
    await database.transaction(() => instance.forgetOthers());
  }

  private async look(): Promise<void> {
    try {
      await this.renewPresence();
      await this.purge();
    } catch (error) {
      this.meter.purges.failed++;
      this.logger.warn(`Expired revocations were not purged: ${messageOf(error)}`);
    }
    this.start();
  }
}
