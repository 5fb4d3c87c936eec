import { Injectable } from '@nestjs/common';
import { randomInt } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { clearTimeout, setTimeout } from 'node:timers';

/** Cancels what {@link AuthClock.schedule} scheduled. Calling it late or twice does nothing. */
export type CancelSchedule = () => void;

/**
 * The clocks for tokens, sessions, events and proofs, in one place, so that a test can control
 * time: replace it with `TestClock`. Some things use the clocks of the host directly: how long a
 * statement or a lock is waited for and retried, the check of dates in options at boot, and the
 * time of an `AuthEvent`.
 *
 * Timers and the monotonic clock are imported from Node's modules. So jest's fake timers, which
 * replace globals, do not stop the revocation feed by accident.
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
  /** The host's wall clock in epoch milliseconds. It may jump, and may be an hour off. */
  wall(): number {
    return Date.now();
  }

  /**
   * A clock in milliseconds that never runs backwards. It stops while a virtual machine is
   * suspended.
   */
  monotonic(): number {
    return performance.now();
  }

  /** The database's time in epoch milliseconds, given what the database reported. */
  database(reported: number): number {
    return reported;
  }

  /**
   * A random whole number from 0 to `most`, by which a lifetime is shortened so that clients do not
   * all refresh at once.
   */
  jitter(most: number): number {
    return randomInt(Math.floor(most) + 1);
  }

  /**
   * Runs `task` once after `delay` milliseconds. The timer does not keep the process alive unless
   * `keepAlive` is set.
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
