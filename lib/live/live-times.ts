import { type AuthException, refusal } from '../errors/auth.exception.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { AuthClock, CancelSchedule } from '../platform/auth-clock.js';
import type { RevocationFeed } from '../revocation/feed/revocation-feed.service.js';
import { exactFor } from '../revocation/log/retention.js';
import { NO_KEY, type RevocationDecider } from '../revocation/revocation-decider.service.js';
import { LEASE_SHARE, type Moment, type ProofClock } from '../revocation/staleness/proof-clock.js';
import { exceptionOf } from '../revocation/verdict.js';
import type { Ending, Watch, WatchGroup } from './watch.js';
import type { WatchTable } from './watch-table.js';

/** When a lease lapses, connections close in its last fifth, spread over at most this time (ms). */
const LONGEST_SPREAD = 30_000;

/** The interval between two batches of closing (ms). */
const STEP = 25;

/** The fields of a watch that the timer uses. */
interface Watched {
  readonly table: WatchTable<Watch>;
  readonly groups: ReadonlyMap<string, WatchGroup>;
  readonly askAll: () => void;
  readonly end: (watch: Watch, ending: Ending) => void;
}

/**
 * Ends watched tokens without an event: at their expiry, and when the lease lapses (L3, L4). A single timer runs
 * at each full second while anything is watched, and more often while a lease lapses.
 */
export class LiveTimes {
  private cancel: CancelSchedule | undefined;
  private isClosed = false;
  /** Every token that expires by this second has ended. */
  private second = 0;
  private wasObserving = false;
  /** The time just before the last run. */
  private ran: Moment | undefined;
  /** Whether a lapsing lease waits for a poll, or has already waited for one. */
  private recovery: 'none' | 'waiting' | 'over' = 'none';

  constructor(
    private readonly watched: Watched,
    private readonly clock: AuthClock,
    private readonly proofs: ProofClock,
    private readonly feed: RevocationFeed,
    private readonly decider: RevocationDecider,
    private readonly options: ResolvedAuthOptions,
  ) {}

  /** The first full second at which a guard considers a token with this `exp` expired. */
  secondOf(exp: number): number {
    return Math.ceil((exp * 1000 + this.options.clockTolerance) / 1000);
  }

  /** Whether a guard considers a token with this `exp` expired now. */
  isPast(exp: number): boolean {
    return this.proofs.now() >= exp * 1000 + this.options.clockTolerance;
  }

  /** Called for each new watch. */
  start(): void {
    const now = this.nowSecond();
    const isRunning = this.cancel !== undefined;
    // After the clock was set back, its seconds come again, and tokens that were added since may end in them.
    this.second = isRunning ? Math.min(this.second, now) : now;
    this.wasObserving ||= this.decider.isObserving;
    if (isRunning) return;
    this.ran = this.proofs.moment();
    this.plan();
  }

  /** Called when no token is watched any more. */
  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  /** Called when the application shuts down. */
  close(): void {
    this.isClosed = true;
    this.stop();
  }

  private readonly run = (): void => {
    this.cancel = undefined;
    if (this.watched.table.size === 0) return;
    this.expire();
    this.forget();
    this.lapse();
    const { isObserving } = this.decider;
    // In observe mode revocations are only reported. When it is over, all tokens are decided again.
    if (this.wasObserving && !isObserving) this.watched.askAll();
    this.wasObserving = isObserving;
    this.plan();
  };

  private plan(): void {
    if (this.isClosed || this.watched.table.size === 0) return;
    // Tokens end at full seconds, so one timer is enough for all of them (L3).
    const untilSecond = 1_000 - (this.proofs.now() % 1_000);
    const isWaiting = this.recovery === 'waiting';
    const untilLapse = isWaiting ? Infinity : this.lapsesFrom() - this.proofs.lastAge();
    this.cancel = this.clock.schedule(Math.min(untilSecond, Math.max(STEP, untilLapse)), this.run);
  }

  /** Ends the tokens that have expired since the last run. */
  private expire(): void {
    const now = this.nowSecond();
    const { table, end } = this.watched;
    table.expiring(this.second, now, (watch) => end(watch, expired));
    // This may go back if the database's clock does. Tokens that have ended stay ended.
    this.second = now;
  }

  /**
   * O2: after a long pause, or a long time without a proof of freshness, the event that revoked an opaque token
   * may be deleted while the token is valid for months. A JWT has expired by then.
   */
  private forget(): void {
    const { watched, proofs, ran } = this;
    this.ran = proofs.moment();
    if (Math.max(proofs.since(ran), proofs.lastAge()) < exactFor(this.options)) return;
    watched.table.all((watch) => {
      if (watch.group.kid === NO_KEY) watched.end(watch, this.stale);
    });
  }

  /**
   * Ends watched tokens as their lease lapses. They end one after the other and not all at once, so
   * that not all clients reconnect at the same moment.
   */
  private lapse(): void {
    const age = this.proofs.lastAge();
    if (age < this.lapsesFrom()) {
      this.recovery = 'none';
      return;
    }
    if (this.recovery === 'none' && this.canRecover()) void this.recover(age);
    if (this.recovery === 'waiting') return;
    this.watched.table.all((watch) => {
      const limit = this.decider.openFor(watch.group.upTo) * LEASE_SHARE;
      // Multiples of the golden ratio spread any number of rows evenly. No connection outlives its lease (L4).
      const share = (watch.row * 0.618_033_988_75) % 1;
      if (age > limit - share * spreadOf(limit)) {
        this.watched.end(watch, this.stale);
      }
    });
  }

  private readonly stale = (): AuthException => exceptionOf(this.decider.unknown);

  /** F6: a process that was paused waits for one poll, as a request does, before it closes all connections. */
  private canRecover(): boolean {
    return !this.feed.failing && this.options.staleWait > 0;
  }

  private async recover(age: number): Promise<void> {
    this.recovery = 'waiting';
    const { maxStaleness, staleWait } = this.options;
    const left = this.shortestLease() - age;
    // The wait must leave enough time to close all connections before the lease ends.
    await this.feed.proofWithin(
      maxStaleness / 2,
      left > 0 ? Math.min(staleWait, left / 2) : staleWait,
    );
    this.recovery = 'over';
    this.stop();
    this.run();
  }

  /** The age of the last proof of freshness at which the first connections close. */
  private lapsesFrom(): number {
    const lease = this.shortestLease();
    return lease - spreadOf(lease);
  }

  private shortestLease(): number {
    let shortest = Infinity;
    for (const { upTo } of this.watched.groups.values()) {
      shortest = Math.min(shortest, this.decider.openFor(upTo) * LEASE_SHARE);
    }
    return shortest;
  }

  private nowSecond(): number {
    return Math.floor(this.proofs.now() / 1_000);
  }
}

function spreadOf(limit: number): number {
  return Math.min(limit / 5, LONGEST_SPREAD);
}

function expired(): AuthException {
  return refusal('token_expired');
}
