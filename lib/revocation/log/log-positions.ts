import { Logger } from '@nestjs/common';
import { type Head, headOf } from '../../database/log-rows.js';
import { integerOf } from '../../database/entities/table.js';
import type { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import { SharedCall } from '../../platform/async-calls.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import { messageOf } from '../../platform/log-text.js';
import type { RevocationFeed } from '../feed/revocation-feed.service.js';
import { type LogConnection, reachLog, storageUnavailable } from './log-connection.service.js';
import { HistoryLost, jump, MOST_JUMPS } from './log-history.js';
import type { OpenLog } from './open-log.js';
import type { PendingMover } from './pending-mover.js';

/**
 * How often a login lets the mover run without anything changing: one that was at work already may have
 * looked before the event was there, and what is left after that cannot be numbered.
 */
const IDLE_MOVES = 2;

/** Between two jumps for tokens from beyond the head (ms). */
const JUMP_REST = 3_600_000;

/** Where the log stood, on the primary, at one moment; what a login is signed with. */
export interface LogPosition {
  /** The last position: the `gen` of tokens whose authority is checked after this. */
  readonly position: number;
  /** The database's time at that moment (epoch ms): the `iat` of these tokens. */
  readonly now: number;
}

/** Reads positions for tokens, and judges those that tokens bring from beyond the head (G1, G5). */
export class LogPositions {
  private readonly logger = new Logger('RevocationLog');
  private readonly reads = new SharedCall(() => this.readAndMove());
  private jumping: Promise<void> | undefined;
  private jumpedUntil = -Infinity;
  private jumpedTo = 0;
  private latest: { readonly database: number; readonly monotonic: number } | undefined;

  constructor(
    private readonly connection: LogConnection,
    private readonly feed: RevocationFeed,
    private readonly mover: PendingMover,
    private readonly clock: AuthClock,
    private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * The position now. Callers who come at the same time share a read, which begins after they came.
   *
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  read(): Promise<LogPosition> {
    return this.reads.run();
  }

  /** The database's time (epoch ms) as of the last position that was read here; before that the feed's. */
  databaseNow(): number {
    if (this.latest === undefined) return this.feed.databaseNow();
    return this.latest.database + (this.clock.monotonic() - this.latest.monotonic);
  }

  /**
   * G5: whether the log jumped because of tokens from beyond its head; if not, it begins to. At most once
   * an hour: another installation may share the secret, and its tokens come again.
   */
  hasJumpedFor(position: number): boolean {
    // What the jump has overtaken is decided by the next answer; the one at hand may be older than it.
    if (this.clock.monotonic() < this.jumpedUntil) return position > this.jumpedTo;
    this.jumping ??= this.jumpFor(position).finally(() => (this.jumping = undefined));
    return false;
  }

  /** Resolves when no jump is under way. */
  async drain(): Promise<void> {
    await this.jumping;
  }

  private async readAndMove(): Promise<LogPosition> {
    const log = await reachLog(this.connection);
    try {
      let read = await this.readHead(log);
      if (read.head.maxTokenLife < this.options.maxTokenLife) {
        // H4: what is signed now must be remembered by others for as long as it lives.
        await this.feed.register();
        read = await this.readHead(log);
      }
      for (let idle = 0; read.pendingMarks > 0 && idle < IDLE_MOVES;) {
        const before = read.pendingMarks;
        await this.mover.run();
        read = await this.readHead(log);
        if (read.pendingMarks >= before) idle++;
      }
      return { position: read.head.position, now: read.head.now };
    } catch (error) {
      throw storageUnavailable('The revocation log could not be read.', error);
    }
  }

  /** H2: no position of a lost history is given to a token, and none that will come again. */
  private async readHead(log: OpenLog): Promise<{ head: Head; pendingMarks: number }> {
    for (let jumps = 0; ; jumps++) {
      const { seen } = log.history;
      const { rows } = await log.database.read(log.statements.position());
      log.history.identify(rows[0]?.['log_id']);
      const head = headOf(rows[0], this.clock);
      const why = log.history.whyLost(head, seen);
      if (why === undefined) {
        log.history.notice(head.position);
        log.history.noticeTime(head.now);
        this.latest = { database: head.now, monotonic: this.clock.monotonic() };
        return { head, pendingMarks: integerOf(rows[0]?.['pending_marks']) };
      }
      if (jumps === MOST_JUMPS) throw new HistoryLost(`The revocation log changes: ${why}.`);
      await jump(log);
    }
  }

  private async jumpFor(position: number): Promise<void> {
    try {
      const log = await this.connection.open();
      await jump(log, {
        whyUnder: (head) =>
          head.position < position ? 'a token was signed after everything in it' : undefined,
      });
      this.jumpedTo = log.history.seen;
      this.jumpedUntil = this.clock.monotonic() + JUMP_REST;
    } catch (error) {
      this.logger.warn(`The revocation log could not jump: ${messageOf(error)}`);
    }
  }
}
