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
 * A login runs the mover at most this many times without an effect. The first run may have started
 * before the event was there. What is left after the second cannot be numbered, and must not block
 * the login.
 */
const IDLE_MOVES = 2;

/** The time between two jumps because of tokens from beyond the head (ms). */
const JUMP_REST = 3_600_000;

/**
 * The position of the log on the primary at one moment, which `sessions.position()` returns. The
 * tokens of a login carry it as `gen`, so any later revocation of the account applies to them
 * (docs/protocol.md, G1).
 */
export interface LogPosition {
  /** The last position: the `gen` of tokens whose authority is checked after this. */
  readonly position: number;
  /** The database's time at that moment (epoch ms): the `iat` of these tokens. */
  readonly now: number;
}

/** Reads positions for new tokens (G1), and decides about tokens from beyond the head (G5). */
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
   * tokens of whole accounts are numbered first. Concurrent callers share one read, which starts
   * after all of them called: a read that started earlier could miss a revocation.
   *
   * @throws AuthUnavailableException `storage_unavailable`. Without a position no token can be
   * signed.
   */
  read(): Promise<LogPosition> {
    return this.reads.run().catch(this.meter.refusedEach);
  }

  /**
   * Accepts the position that a statement read beside other things, which saves a second read.
   * `undefined` if {@link read} is needed: events have to be numbered first, or the log may have to
   * jump.
   *
   * @param seen - {@link LogHistory.seen} from before that statement was sent.
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
   * The database's time (epoch ms): that of the last read here, or else of the last poll, advanced
   * by the monotonic clock. Compare times of the database with it and not with the host's clock: a
   * host whose clock is ahead must not refuse logins or miss sessions.
   */
  databaseNow(): number {
    if (this.latest === undefined) return this.proofs.database() || this.clock.wall();
    return this.latest.database + (this.clock.monotonic() - this.latest.monotonic);
  }

  /**
   * Whether the log has jumped because of a token from beyond its head (G5). If not, a jump starts,
   * and a later request decides. It jumps at most once an hour: if another installation shares the
   * secret, its tokens keep coming.
   */
  hasJumpedFor(position: number): boolean {
    // A position below the jump is decided by the next answer, because the current one may be older
    // than the jump.
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
      // The log must keep events for as long as the tokens that are signed now are valid (H4).
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
      // If the log was past that position already, a token from beyond the new head has to ask
      // again.
      if (!hasJumped) return;
      this.wanted = 0;
      this.jumpedTo = log.history.seen;
      this.jumpedUntil = this.clock.monotonic() + JUMP_REST;
    } catch (error) {
      this.logger.warn(`The revocation log could not jump: ${messageOf(error)}`);
    }
  }
}
