import { Logger } from '@nestjs/common';
import { isKnownKind } from '../../database/entities/revocation-event.entity.js';
import { StorageFailure } from '../../database/log-database.js';
import type { AuthMeter } from '../../events/auth-meter.service.js';
import { SharedCall } from '../../platform/async-calls.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import { messageOf } from '../../platform/log-text.js';
import type { LogConnection } from './log-connection.service.js';
import { numbering } from './log-history.js';
import { type Appended, PENDING_PAGE } from './log.transactions.js';
import type { OpenLog } from './open-log.js';

/**
 * A row that could not be numbered is retried after this time (ms), however many logins run the
 * mover meanwhile.
 */
const RETRY_AFTER = 60_000;

/** The first failure of a row is logged, and then every tenth. */
const REPORT_EACH = 10;

interface Refusal {
  attempts: number;
  /** On the monotonic clock (ms). */
  readonly retryAt: number;
}

/**
 * Assigns positions to the events that callers' transactions have committed (C4). One mover runs at
 * a time in this process. Movers of several processes may run at once: they look up the ids under
 * the head lock, so no event is numbered twice.
 */
export class PendingMover {
  private readonly logger = new Logger('RevocationLog');
  private readonly moves = new SharedCall(() => this.move());
  /**
   * Rows that the database refused to number. Each is retried alone, so that one bad row does not
   * block the others.
   */
  private readonly refusals = new Map<string, Refusal>();
  private failures = 0;

  constructor(
    private readonly connection: LogConnection,
    private readonly clock: AuthClock,
    private readonly meter: AuthMeter,
    private readonly committed: (appended: Appended) => void,
  ) {}

  /**
   * Numbers all pending events that can be numbered. It joins a run in progress.
   *
   * @throws Error if the database cannot be reached. A row that cannot be numbered is logged and
   * fails no login. It still revokes its tokens, because every poll reads pending rows.
   */
  run(): Promise<void> {
    return this.moves.join();
  }

  /** As {@link run}, in the background: errors are logged and not thrown. */
  async runBehind(): Promise<void> {
    try {
      await this.run();
    } catch (error) {
      this.report(error);
    }
  }

  /** Resolves when no run is in progress. */
  drain(): Promise<void> {
    return this.moves.idle();
  }

  private async move(): Promise<void> {
    const log = await this.connection.open();
    try {
      await this.movePages(log);
      this.failures = 0;
    } catch (error) {
      if (!isLocked(error)) throw error;
      this.report(error);
    } finally {
      this.meter.pendingUnnumbered = this.refusals.size;
    }
  }

  private async movePages(log: OpenLog): Promise<void> {
    let isPageFull: boolean;
    let fresh: string[];
    do {
      const { rows } = await log.database.read(log.statements.listPending(PENDING_PAGE));
      // A kind that this release does not know may need further writes, so it is left to a newer
      // release (H5).
      const known = rows.filter((row) => isKnownKind(row['kind'] ?? ''));
      const seen = known.map((row) => row['event_id'] ?? '');
      for (const id of this.refusals.keys()) if (!seen.includes(id)) this.refusals.delete(id);
      isPageFull = rows.length === PENDING_PAGE;
      fresh = seen.filter((id) => !this.refusals.has(id));
      await this.moveAll(log, fresh);
    } while (isPageFull && fresh.length > 0);
  }

  /**
   * Numbers the rows that were never refused in one transaction, then each refused row that is due
   * in one of its own.
   */
  private async moveAll(log: OpenLog, fresh: readonly string[]): Promise<void> {
    const now = this.clock.monotonic();
    const alone = [...this.refusals].filter(([, { retryAt }]) => retryAt <= now).map(([id]) => id);
    try {
      await this.moveThese(log, fresh);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      alone.unshift(...fresh);
    }
    await this.moveOneByOne(log, alone);
  }

  private async moveOneByOne(log: OpenLog, ids: readonly string[]): Promise<void> {
    let refused = 0;
    let reason: unknown;
    for (const id of ids) {
      try {
        await this.moveThese(log, [id]);
        this.refusals.delete(id);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        const attempts = this.refusals.get(id)?.attempts ?? 0;
        const retryAt = this.clock.monotonic() + RETRY_AFTER;
        this.refusals.set(id, { attempts: attempts + 1, retryAt });
        if (attempts % REPORT_EACH !== 0) continue;
        refused++;
        reason = error;
      }
    }
    if (refused === 0) return;
    this.logger.error(
      `${refused} pending revocations could not be numbered. They still revoke their tokens: ${messageOf(reason)}`,
    );
  }

  private async moveThese(log: OpenLog, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const listed = new Set(ids);
    this.committed(await numbering(log, () => log.transactions.movePending(listed)));
  }

  private report(error: unknown): void {
    if (this.failures++ % REPORT_EACH !== 0) return;
    this.logger.error(`Pending revocations could not be numbered: ${messageOf(error)}`);
  }
}

/** Whether the row itself is the cause. A locked or unreachable database would refuse every row. */
function isRefusal(error: unknown): boolean {
  return error instanceof StorageFailure && !error.retryable && !isLocked(error);
}

/**
 * Whether a transaction of the application blocks all writers. Such an error has advice for the
 * operator.
 */
function isLocked(error: unknown): boolean {
  return error instanceof StorageFailure && error.advice !== undefined;
}
