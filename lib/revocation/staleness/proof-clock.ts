import { Inject, Injectable } from '@nestjs/common';
import { UNBOUNDED } from '../../options/operation-settings.js';
import { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import { AuthClock } from '../../platform/auth-clock.js';

/** The moment before a statement was sent, on both clocks of this host (ms). */
export interface Moment {
  readonly wall: number;
  readonly monotonic: number;
  /**
   * Increases with each moment, so that two moments have an order even if no time passed between
   * them.
   */
  readonly order: number;
}

/**
 * The lease is this share of `maxStaleness`: if clock rates are right to 1 %, it expires in time on
 * every host (F5).
 */
export const LEASE_SHARE = 0.98;

/**
 * The last proof that this instance knows the whole log, and the time by which tokens expire (F4,
 * F5, T1).
 *
 * A proof is dated to the moment its poll was sent, not received. Its age is computed at each
 * decision: timers can be late, a process can be paused, an answer can wait in a socket.
 */
@Injectable()
export class ProofClock {
  /**
   * Whether the log contradicted what this instance knows, and there was no proof since (H1, H5).
   */
  isContradicted = false;
  private proof: Moment | undefined;
  /**
   * The same proof, except that {@link discard} keeps it: the lease of open connections starts
   * there (L4).
   */
  private last: Moment | undefined;
  private moments = 0;
  private databaseTime = 0;
  private databaseSeen = 0;

  constructor(
    private readonly clock: AuthClock,
    @Inject(ResolvedAuthOptions)
    private readonly options: Pick<ResolvedAuthOptions, 'maxStaleness'>,
  ) {}

  /** Now, with an order relative to every poll. */
  moment(): Moment {
    const order = ++this.moments;
    return { wall: this.clock.wall(), monotonic: this.clock.monotonic(), order };
  }

  /** Records an accepted answer: when its poll was sent, and the database's time in it. */
  prove(sent: Moment, databaseNow: number): void {
    this.proof = sent;
    this.last = sent;
    this.isContradicted = false;
    this.databaseTime = databaseNow;
    this.databaseSeen = sent.monotonic;
  }

  /**
   * Drops the proof after a fork or an unknown event, so that no failure policy accepts on an old
   * proof. Only the next accepted answer ends that state.
   */
  discard(): void {
    this.proof = undefined;
    this.isContradicted = true;
  }

  /**
   * Milliseconds since the proof, by the clock that advanced more. Infinity without a proof.
   *
   * Both clocks are read because each can miss time: the monotonic clock may stop while a host
   * sleeps, and the wall clock can be set back.
   */
  age(): number {
    return this.since(this.proof);
  }

  /** As {@link age}, but also after a contradiction, for open connections. */
  lastAge(): number {
    return this.since(this.last);
  }

  /**
   * Whether the last proof is at most 0.98 × `staleness` ms old, so that this instance may accept
   * (F5).
   */
  isFresh(staleness = this.options.maxStaleness): boolean {
    return this.age() <= staleness * LEASE_SHARE;
  }

  /** Milliseconds since a moment, by the clock that advanced more. */
  since(moment: Moment | undefined): number {
    if (moment === undefined) return Infinity;
    const monotonic = this.clock.monotonic() - moment.monotonic;
    const wall = this.clock.wall() - moment.wall;
    return wall > monotonic ? wall : monotonic;
  }

  /** Whether the poll of the proof was sent at or after this monotonic time. */
  provenSince(monotonic: number): boolean {
    return this.proof !== undefined && this.proof.monotonic >= monotonic;
  }

  /**
   * The database's time (epoch ms): that of the last proof, advanced by the monotonic clock. 0
   * before the first proof. It is set back with the database's clock, or a clock that was once
   * ahead would expire all tokens until a restart.
   */
  database(): number {
    if (this.databaseTime === 0) return 0;
    return this.databaseTime + Math.max(0, this.clock.monotonic() - this.databaseSeen);
  }

  /**
   * The time by which tokens expire (epoch ms): the later of the host's and the database's clock
   * (T1). Deletion uses the earlier clock instead, see `ClockCheck`.
   */
  now(): number {
    const wall = this.clock.wall();
    const database = this.database();
    return wall > database ? wall : database;
  }

  /**
   * As {@link now}, for claims that must not be in the future; Infinity before the first proof.
   * Until then a host whose clock is behind would refuse valid tokens as invalid (401), where 503
   * is right.
   *
   * @param now - The result of {@link now}, if the caller has it already.
   */
  latestNow(now = this.now()): number {
    return this.databaseTime === 0 ? Infinity : now;
  }
}

/** A staleness in seconds, for receipts and reports; Infinity is no bound. */
export function secondsOf(milliseconds: number): number {
  return milliseconds >= UNBOUNDED ? Infinity : milliseconds / 1000;
}

/** A tolerated staleness, for log lines: `for 5 s`, or `without a bound`. */
export function toleranceText(milliseconds: number): string {
  return milliseconds >= UNBOUNDED ? 'without a bound' : `for ${milliseconds / 1000} s`;
}
