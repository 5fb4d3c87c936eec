import { Inject, Injectable, Logger } from '@nestjs/common';
import { AuthEvents } from '../../events/auth-events.service.js';
import { AuthMeter } from '../../events/auth-meter.service.js';
import { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import { AuthClock } from '../../platform/auth-clock.js';

/**
 * If the two clocks differ by more than this (ms), one of them is wrong, and nothing is deleted.
 */
const LARGEST_DIFFERENCE = 60_000;

/** The time between two log lines about clocks that still differ (ms). */
const REMINDER = 600_000;

/** The times of both clocks at one moment, and of the monotonic clock (ms). */
interface Reading {
  readonly wall: number;
  readonly monotonic: number;
  readonly database: number;
}

/**
 * The time up to which expired data may be deleted: the earlier of the two clocks, or `undefined`
 * while they differ by more than a minute (T2).
 */
export function agreedTime(wall: number, database: number): number | undefined {
  return Math.abs(wall - database) > LARGEST_DIFFERENCE ? undefined : Math.min(wall, database);
}

/**
 * Compares the clock of this host with the database's. Tokens expire by the later of the two (T1).
 * Everything that deletes by time asks here first: the purge, the sweep of the index, the filter of
 * a load, the comparison after a reload. It deletes nothing while one of the clocks must be wrong,
 * because a revocation that is deleted too early lets its token in again (T2).
 *
 * Specified in docs/protocol.md, "Time".
 */
@Injectable()
export class ClockCheck {
  private readonly logger = new Logger('AuthModule');
  private agreed: Reading | undefined;
  private alarmedAt: number | undefined;
  /** The last reading of the host's clock before it leapt ahead of the monotonic clock. */
  private steady: { readonly wall: number; readonly monotonic: number } | undefined;

  constructor(
    private readonly clock: AuthClock,
    private readonly events: AuthEvents,
    private readonly meter: AuthMeter,
    @Inject(ResolvedAuthOptions)
    private readonly options: Pick<ResolvedAuthOptions, 'maxTokenLife'>,
  ) {}

  /**
   * Returns the time up to which expired data may be deleted.
   *
   * @param database - The database's time (epoch ms), read just now.
   * @returns that time (epoch ms), or `undefined` if nothing may be deleted.
   */
  forgettingTime(database: number): number | undefined {
    if (this.hasLeapt()) return undefined;
    return agreedTime(this.clock.wall(), database);
  }

  /**
   * Compares the clocks at each proof. It reports when they start to differ, then every ten
   * minutes, and when they agree again.
   */
  compare(database: number): void {
    const now = { wall: this.clock.wall(), monotonic: this.clock.monotonic(), database };
    const ahead = now.wall - database;
    this.meter.clockAhead = ahead;
    if (Math.abs(ahead) <= LARGEST_DIFFERENCE) {
      if (this.alarmedAt !== undefined)
        this.logger.log('The clocks of host and database agree again.');
      this.agreed = now;
      this.alarmedAt = undefined;
      return;
    }
    const isFirst = this.alarmedAt === undefined;
    if (!isFirst && now.monotonic - (this.alarmedAt ?? 0) < REMINDER) return;
    this.alarmedAt = now.monotonic;
    const wrong = this.culpritOf(now);
    this.logger.error(messageOf(now, wrong));
    if (isFirst) this.events.tell({ type: 'clocks_differ', reason: wrong });
  }

  /** Which clock has stepped since they last agreed. It is unknown if they never did. */
  private culpritOf({ wall, monotonic, database }: Reading): 'host' | 'database' | 'unknown' {
    if (this.agreed === undefined) return 'unknown';
    const elapsed = monotonic - this.agreed.monotonic;
    const hostStep = Math.abs(wall - this.agreed.wall - elapsed);
    const databaseStep = Math.abs(database - this.agreed.database - elapsed);
    return hostStep > databaseStep ? 'host' : 'database';
  }

  /**
   * Whether the host's clock leapt ahead of the monotonic one. After a suspend that is correct.
   * After a wrong step it is not, and a database on the same host has stepped too, so comparing the
   * two does not show it. In either case nothing is deleted until the longest token lifetime has
   * passed on the monotonic clock. Then every token from before the leap has expired, whatever the
   * clocks show.
   */
  private hasLeapt(): boolean {
    const wall = this.clock.wall();
    const monotonic = this.clock.monotonic();
    this.steady ??= { wall, monotonic };
    const passed = monotonic - this.steady.monotonic;
    const isLeap = wall - this.steady.wall - passed > LARGEST_DIFFERENCE;
    if (isLeap && passed < this.options.maxTokenLife) return true;
    this.steady = { wall, monotonic };
    return false;
  }
}

function messageOf({ wall, database }: Reading, wrong: 'host' | 'database' | 'unknown'): string {
  const seconds = Math.round((wall - database) / 1000);
  const direction = seconds > 0 ? 'ahead of' : 'behind';
  const stepped =
    wrong === 'unknown'
      ? ''
      : ` The clock that stepped is ${wrong === 'host' ? 'this host’s' : 'the database’s'}.`;
  const effect =
    seconds > 0
      ? 'this host refuses tokens as expired that are still good elsewhere'
      : 'every instance refuses tokens as expired that were signed before the step';
  return (
    `This host’s clock shows ${new Date(wall).toISOString()} and the database’s ${new Date(database).toISOString()}: ` +
    `this host is ${Math.abs(seconds)} seconds ${direction} the database.${stepped} Tokens expire by the later clock, so ` +
    `${effect}; and nothing is purged or forgotten while they differ by more than a minute. ` +
    'Set the wrong clock (NTP).'
  );
}
