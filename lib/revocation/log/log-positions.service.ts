import { Injectable, Logger } from '@nestjs/common';
import type { Head, ReadHead } from '../../database/log.statements.js';
import { AuthMeter } from '../../events/auth-meter.service.js';
import { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import { SharedCall } from '../../platform/async-calls.js';
import { AuthClock } from '../../platform/auth-clock.js';
import { messageOf } from '../../platform/log-text.js';
import { ProofClock } from '../staleness/proof-clock.js';
import { LogConnection, reachLog, unavailable } from './log-connection.service.js';
import { jump, readKeptHead } from './log-history.js';
import type { OpenLog } from './open-log.js';
import { RevocationLog } from './revocation-log.service.js';

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
@Injectable()
export class LogPositions {
  private readonly logger = new Logger('RevocationLog');
  private readonly reads = new SharedCall(async () => {
    const log = await reachLog(this.connection);
    return this.readAndMove(log).catch(unavailable('The revocation log could not be read.'));
  });
  private readonly jumps = new SharedCall(() => this.jump());
  /** The highest position of a token from beyond the head. */
  private wanted = 0;
  private jumpedUntil = -Infinity;
  private jumpedTo = 0;
  private latest: { readonly database: number; readonly monotonic: number } | undefined;

  constructor(
    private readonly connection: LogConnection,
    private readonly log: RevocationLog,
    private readonly proofs: ProofClock,
    private readonly clock: AuthClock,
    private readonly meter: AuthMeter,
    private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * The position and the database's time, read on the primary (G1, G2). Pending events that revoke
   * tokens of whole accounts are numbered first. Concurrent callers share a read that starts after they
   * called.
   *
   * @throws AuthUnavailableException `storage_unavailable`: without a position nothing can be signed.
   */
  read(): Promise<LogPosition> {
    return this.reads.run().catch(this.meter.refusedEach);
  }

  /**
   * The position that a statement read beside other things, without a second read; `undefined` where that
   * has to look again: events have to be numbered first, or the log may have to jump.
   *
   * @param seen - {@link LogHistory.seen} as it was before that statement was sent.
   */
  accept({ history, id }: OpenLog, read: ReadHead, seen: number): LogPosition | undefined {
    const { head, logId, pendingMarks } = read;
    if (logId !== id || pendingMarks > 0 || head.maxTokenLife < this.options.maxTokenLife) {
      return undefined;
    }
    if (history.whyLost(head, seen) !== undefined) return undefined;
    history.noticeHead(head);
    return this.noted(head);
  }

  /**
   * The database's time (epoch ms), counted on from the last read here; before that from the last poll.
   * Times of the database are compared with it: a host whose clock is ahead must refuse no login, and
   * find every session.
   */
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
    this.wanted = Math.max(this.wanted, position);
    void this.jumps.join();
    return false;
  }

  /** Resolves when no jump is running. */
  drain(): Promise<void> {
    return this.jumps.idle();
  }

  private async readAndMove(log: OpenLog): Promise<LogPosition> {
    let read = await readKeptHead(log, this.clock);
    if (read.head.maxTokenLife < this.options.maxTokenLife) {
      // H4: the log must keep events for as long as the tokens that are signed now.
      await this.log.register();
      read = await readKeptHead(log, this.clock);
    }
    for (let idle = 0; read.pendingMarks > 0 && idle < IDLE_MOVES;) {
      const before = read.pendingMarks;
      await this.log.mover.run();
      read = await readKeptHead(log, this.clock);
      if (read.pendingMarks >= before) idle++;
    }
    return this.noted(read.head);
  }

  private noted({ position, now }: Head): LogPosition {
    this.latest = { database: now, monotonic: this.clock.monotonic() };
    return { position, now };
  }

  private async jump(): Promise<void> {
    try {
      const log = await this.connection.open();
      const hasJumped = await jump(log, undefined, (head) =>
        head.position < this.wanted ? 'a token was signed after everything in it' : undefined,
      );
      // Where the log had gone on by itself, a token from beyond that has to be asked about anew.
      if (!hasJumped) return;
      this.wanted = 0;
      this.jumpedTo = log.history.seen;
      this.jumpedUntil = this.clock.monotonic() + JUMP_REST;
    } catch (error) {
      this.logger.warn(`The revocation log could not jump: ${messageOf(error)}`);
    }
  }
}
