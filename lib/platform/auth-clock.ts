import { Injectable } from '@nestjs/common';
import { randomInt } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { clearTimeout, setTimeout } from 'node:timers';

/** Stops what {@link AuthClock.schedule} planned; calling it late or twice does nothing. */
export type CancelSchedule = () => void;

/**
 * The clocks by which tokens, sessions, events and proofs are judged, in one place, so that a test can
 * control time. Not by this clock: how long a statement or a lock is waited for and retried, the check
 * of dates in options at boot, and the time in an `AuthEvent`. Those use the host's own.
 *
 * Timers and the monotonic clock are taken from Node's own modules: jest's fake timers, which replace
 * globals, cannot stop the revocation feed by accident.
 *
 * @example
 * ```ts
 * const clock = new TestClock();
 * const app = await Test.createTestingModule({ imports: [AppModule] })
 *   .overrideProvider(AuthClock).useValue(clock).compile();
 * ```
 * @publicApi
 */
@Injectable()
export class AuthClock {
  /** The host's wall clock in epoch milliseconds; may jump, may be an hour off. */
  wall(): number {
    return Date.now();
  }

  /** Milliseconds that never run backwards; stops while a virtual machine is suspended. */
  monotonic(): number {
    return performance.now();
  }

  /** The database's time in epoch milliseconds, given what the database reported. */
  database(reported: number): number {
    return reported;
  }

  /** By how much a lifetime is shortened, so that clients spread out: a whole number from 0 to `most`. */
  jitter(most: number): number {
    return randomInt(Math.floor(most) + 1);
  }

  /**
   * Runs `task` once after `delay` milliseconds. The timer does not keep the process alive unless
   * `keepAlive` says so.
   */
  schedule(delay: number, task: () => void, keepAlive = false): CancelSchedule {
    const timer = setTimeout(task, delay);
    if (!keepAlive) timer.unref();
    return () => clearTimeout(timer);
  }
}

/** Resolves after `delay` milliseconds; see {@link AuthClock.schedule}. */
export function passTime(clock: AuthClock, delay: number, keepAlive = true): Promise<void> {
  return new Promise((resolve) => void clock.schedule(delay, resolve, keepAlive));
}
