import { Logger } from '@nestjs/common';
import type { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import { SharedCall } from '../../platform/async-calls.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import { messageOf } from '../../platform/log-text.js';
import type { ProofClock } from '../staleness/proof-clock.js';
import { type LogConnection, reachLog, storageUnavailable } from './log-connection.service.js';
import { HistoryLost, jump, MOST_JUMPS } from './log-history.js';
import { type OpenLog, readHead, type ReadHead } from './open-log.js';
import type { PendingMover } from './pending-mover.js';

/**
 * A login runs the mover so many times without an effect. The first run may have started before the
 * event was there. What is left after that cannot be numbered.
 */
const IDLE_MOVES = 2;

/** Between two jumps for tokens from beyond the head (ms). */
const JUMP_REST = 3_600_000;

/** The position of the log on the primary at one moment. A login is signed with it. */
export interface LogPosition {
  /** The last position: the `gen` of tokens whose authority is checked after this. */
  readonly position: number;
  /** The database's time at that moment (epoch ms): the `iat` of these tokens. */
  readonly now: number;
}

/** Reads positions for new tokens (G1), and judges tokens from beyond the head (G5). */
export class LogPositions {
  private readonly logger = new Logger('RevocationLog');
  private readonly reads = new SharedCall(() => this.readAndMove());
  private jumping: Promise<void> | undefined;
  private jumpedUntil = -Infinity;
  private jumpedTo = 0;
  private latest: { readonly database: number; readonly monotonic: number } | undefined;

  /** @param register - Raises the registered bounds of this instance (H4). */
  constructor(
    private readonly connection: LogConnection,
    private readonly proofs: ProofClock,
    private readonly mover: PendingMover,
    private readonly clock: AuthClock,
    private readonly options: ResolvedAuthOptions,
    private readonly register: () => Promise<void>,
  ) {}

  /**
   * The position now. Concurrent callers share a read that starts after they called.
   *
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  read(): Promise<LogPosition> {
    return this.reads.run();
  }

  /** The database's time (epoch ms), counted on from the last read here; before that from the last poll. */
  databaseNow(): number {
    if (this.latest === undefined) return this.proofs.database() || this.clock.wall();
    return this.latest.database + (this.clock.monotonic() - this.latest.monotonic);
  }

  /**
   * G5: whether the log has jumped because of a token from beyond its head. If not, it starts to, and a
   * later request decides. At most once an hour: another installation may share the secret, and its
   * tokens come again.
   */
  hasJumpedFor(position: number): boolean {
    // A position below the jump is decided by the next answer; the one at hand may be older than the jump.
    if (this.clock.monotonic() < this.jumpedUntil) return position > this.jumpedTo;
    this.jumping ??= this.jumpFor(position).finally(() => (this.jumping = undefined));
    return false;
  }

  /** Resolves when no jump is running. */
  async drain(): Promise<void> {
    await this.jumping;
  }

  private async readAndMove(): Promise<LogPosition> {
    const log = await reachLog(this.connection);
    try {
      let read = await this.readKeptHead(log);
      if (read.head.maxTokenLife < this.options.maxTokenLife) {
        // H4: the log must keep events for as long as the tokens that are signed now.
        await this.register();
        read = await this.readKeptHead(log);
      }
      for (let idle = 0; read.pendingMarks > 0 && idle < IDLE_MOVES;) {
        const before = read.pendingMarks;
        await this.mover.run();
        read = await this.readKeptHead(log);
        if (read.pendingMarks >= before) idle++;
      }
      return { position: read.head.position, now: read.head.now };
    } catch (error) {
      throw storageUnavailable('The revocation log could not be read.', error);
    }
  }

  /** H2: no token gets a position of a lost history, nor one that will be assigned again. */
  private async readKeptHead(log: OpenLog): Promise<ReadHead> {
    for (let jumps = 0; ; jumps++) {
      const { seen } = log.history;
      const read = await readHead(log, this.clock);
      const { position, now } = read.head;
      const why = log.history.whyLost(read.head, seen);
      if (why === undefined) {
        log.history.notice(position);
        log.history.noticeTime(now);
        this.latest = { database: now, monotonic: this.clock.monotonic() };
        return read;
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
