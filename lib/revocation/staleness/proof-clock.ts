import { Inject, Injectable } from '@nestjs/common';
import { UNBOUNDED } from '../../options/operation-settings.js';
import { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import { AuthClock } from '../../platform/auth-clock.js';

/** The moment before a statement was sent, on both clocks of this host. */
export interface Moment {
  readonly wall: number;
  readonly monotonic: number;
  /** Grows with each moment: which of two came first, even if no time passed between them. */
  readonly order: number;
}

/** The lease is this share of `maxStaleness`: with clock rates right to 1 % it ends in time on every host (F5). */
export const LEASE_SHARE = 0.98;

/**
 * The last proof that this instance knows the whole log, and the library's one `now` (F4, F5, T1).
 *
 * A proof is dated to the moment its poll was sent, not received. Its age is computed at each decision:
 * timers can be late, a process can be paused, an answer can wait in a socket.
 */
@Injectable()
export class ProofClock {
  /** Whether the log contradicted what is known here, and no proof came since (H1, H5). */
  isContradicted = false;
  private proof: Moment | undefined;
  /** The same, but {@link discard} keeps it: the lease of open connections starts there (L4). */
  private last: Moment | undefined;
  private moments = 0;
  private databaseTime = 0;
  private databaseSeen = 0;

  constructor(
    private readonly clock: AuthClock,
    @Inject(ResolvedAuthOptions)
    private readonly options: Pick<ResolvedAuthOptions, 'maxStaleness'>,
  ) {}

  /** This moment, which is before or after the sending of each poll. */
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
   * Drops the proof after a fork or an unknown event, so that not even a policy for old proofs accepts.
   * Only the next accepted answer ends that.
   */
  discard(): void {
    this.proof = undefined;
    this.isContradicted = true;
  }

  /** Milliseconds since the proof, by the clock that advanced more; Infinity without a proof. */
  age(): number {
    return this.since(this.proof);
  }

  /** {@link age} of the last proof, also after a contradiction: for open connections. */
  lastAge(): number {
    return this.since(this.last);
  }

  /** Whether this instance may accept now, by a proof of at most `staleness` ms (F5). */
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
   * The database's time, counted on from the last proof; 0 before the first. It goes back with the
   * database's clock: a clock that was ahead must not expire all tokens until a restart.
   */
  database(): number {
    if (this.databaseTime === 0) return 0;
    return this.databaseTime + Math.max(0, this.clock.monotonic() - this.databaseSeen);
  }

  /**
   * The library's one `now` (epoch ms), for expiry: the later of the host's and the database's clock
   * (T1). What may be forgotten is another question, see `ClockCheck`.
   */
  now(): number {
    const wall = this.clock.wall();
    const database = this.database();
    return wall > database ? wall : database;
  }

  /**
   * {@link now} for what must not lie in the future; Infinity before the first proof. Until then a host
   * whose clock is behind would call good tokens invalid, where 503 is the answer.
   *
   * @param now - Where the caller has read it already.
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
