import { Logger } from '@nestjs/common';
import { isKnownKind } from '../../database/entities/revocation-event.entity.js';
import { StorageFailure } from '../../database/log-database.js';
import type { AuthMeter } from '../../events/auth-meter.service.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import { messageOf } from '../../platform/log-text.js';
import type { RevocationFeed } from '../feed/revocation-feed.service.js';
import type { LogConnection } from './log-connection.service.js';
import { numbering } from './log-history.js';
import { PENDING_PAGE } from './log.transactions.js';
import type { OpenLog } from './open-log.js';

/** A row that cannot be numbered is tried again after this long (ms), however many logins ask for it. */
const RETRY_AFTER = 60_000;

/** Of a row's failures the first is reported, and then each tenth: loud, but no flood. */
const REPORT_EACH = 10;

interface Refusal {
  attempts: number;
  /** Monotonic. */
  readonly retryAt: number;
}

/**
 * Numbers what was written in callers' transactions (C4): one mover at a time in this process; those of
 * other processes dedupe by id.
 */
export class PendingMover {
  private readonly logger = new Logger('RevocationLog');
  private moving: Promise<void> | undefined;
  /** Rows that the database refused to number; nothing else is in their way. */
  private readonly refusals = new Map<string, Refusal>();
  private failures = 0;

  constructor(
    private readonly connection: LogConnection,
    private readonly feed: RevocationFeed,
    private readonly clock: AuthClock,
    private readonly meter: AuthMeter,
  ) {}

  /**
   * Numbers what can be numbered; joins the run that is under way.
   *
   * @throws Error when the database cannot be reached. A row that cannot be numbered is reported, goes on
   * counting, and fails nobody's login.
   */
  run(): Promise<void> {
    this.moving ??= this.move().finally(() => (this.moving = undefined));
    return this.moving;
  }

  /** The same where nobody waits for it: what goes wrong is logged. */
  async runBehind(): Promise<void> {
    try {
      await this.run();
    } catch (error) {
      this.report(error);
    }
  }

  /** Resolves when nothing is being numbered. */
  async drain(): Promise<void> {
    await this.moving?.catch(() => undefined);
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
      this.meter.set('pendingUnnumbered', this.refusals.size);
    }
  }

  private async movePages(log: OpenLog): Promise<void> {
    let isPageFull: boolean;
    let fresh: string[];
    do {
      const { rows } = await log.database.read(log.statements.listPending(PENDING_PAGE));
      // Only a release that knows a kind knows what to write beside its position (H5).
      const known = rows.filter((row) => isKnownKind(row['kind'] ?? ''));
      const seen = known.map((row) => row['event_id'] ?? '');
      for (const id of this.refusals.keys()) if (!seen.includes(id)) this.refusals.delete(id);
      isPageFull = rows.length === PENDING_PAGE;
      fresh = seen.filter((id) => !this.refusals.has(id));
      await this.moveAll(log, fresh);
    } while (isPageFull && fresh.length > 0);
  }

  /** Those that were never refused, in one transaction; then each that is due for another attempt. */
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
      `${refused} pending revocations could not be numbered; they go on counting: ${messageOf(reason)}`,
    );
  }

  private async moveThese(log: OpenLog, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const listed = new Set(ids);
    this.feed.committed(await numbering(log, () => log.transactions.movePending(listed)));
  }

  private report(error: unknown): void {
    if (this.failures++ % REPORT_EACH !== 0) return;
    this.logger.error(`Pending revocations could not be numbered: ${messageOf(error)}`);
  }
}

/** Whether the fault is a row's; a database that is locked or away refuses all of them alike. */
function isRefusal(error: unknown): boolean {
  return error instanceof StorageFailure && !error.retryable && !isLocked(error);
}

/** Whether the application itself keeps everybody from writing: then there is advice. */
function isLocked(error: unknown): boolean {
  return error instanceof StorageFailure && error.advice !== undefined;
}
