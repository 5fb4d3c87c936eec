import type { AuthClock } from '../../platform/auth-clock.js';

/** The moment before a statement was sent, on both clocks of this host. */
export interface Moment {
  readonly wall: number;
  readonly monotonic: number;
  /** Grows with each moment that is taken: which of two came first, on a clock that stands still too. */
  readonly order: number;
}

/**
 * The share of `maxStaleness` that the lease uses: with clock rates right to 1 % it ends in time on
 * the slowest host (F5).
 */
export const LEASE_SHARE = 0.98;

/**
 * When this instance last knew everything, and what time it is (F4, F5, T1).
 *
 * A proof is dated by its sending, never by its receipt, and is compared at each decision: timers can
 * be late, a process can be paused, an answer can wait in a socket.
 */
export class ProofClock {
  private proof: Moment | undefined;
  private moments = 0;
  private contradicted = false;
  private databaseTime = 0;
  private databaseSeen = 0;

  constructor(private readonly clock: AuthClock) {}

  moment(): Moment {
    const order = ++this.moments;
    return { wall: this.clock.wall(), monotonic: this.clock.monotonic(), order };
  }

  /** An accepted answer: dated to its sending, with the database's time in it. */
  prove(sent: Moment, databaseNow: number): void {
    this.proof = sent;
    this.contradicted = false;
    this.databaseTime = databaseNow;
    this.databaseSeen = sent.monotonic;
  }

  /**
   * After a fork or an unknown event nothing is proven, whatever was before: not even a policy that
   * accepts by old proofs finds one. Only the next accepted answer ends that.
   */
  discard(): void {
    this.proof = undefined;
    this.contradicted = true;
  }

  /** Whether there is no proof because the log contradicted one, not because none was ever had. */
  get isContradicted(): boolean {
    return this.contradicted;
  }

  /** Milliseconds since the proof, by the clock that ran further; Infinity without one. */
  age(): number {
    const { proof } = this;
    if (proof === undefined) return Infinity;
    const monotonic = this.clock.monotonic() - proof.monotonic;
    const wall = this.clock.wall() - proof.wall;
    return wall > monotonic ? wall : monotonic;
  }

  /** Whether the proof was sent at or after this monotonic moment. */
  provenSince(monotonic: number): boolean {
    return this.proof !== undefined && this.proof.monotonic >= monotonic;
  }

  /**
   * The database's time as of the last proof; 0 before the first one. It goes back with the database's
   * clock: one that had stepped ahead must not make every token look expired until a restart.
   */
  database(): number {
    if (this.databaseTime === 0) return 0;
    return this.databaseTime + Math.max(0, this.clock.monotonic() - this.databaseSeen);
  }

  /**
   * T1, for expiry: never behind the database, however far behind the host's clock is. What may be
   * forgotten is another question: see `ClockCheck`.
   */
  now(): number {
    const wall = this.clock.wall();
    const database = this.database();
    return wall > database ? wall : database;
  }
}
