import type { AuthClock } from '../../platform/auth-clock.js';

interface Waiter {
  readonly after: number;
  readonly settle: (proven: boolean) => void;
}

/** Requests that wait for a proof, each for one dated after its own moment. */
export class WaitingRoom {
  private waiters = new Set<Waiter>();

  constructor(private readonly clock: AuthClock) {}

  /**
   * Resolves `true` once a proof sent at or after `after` (monotonic ms) was accepted, `false` when a
   * poll that could have given one failed, or after `timeout` ms.
   */
  wait(after: number, timeout: number): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.clock.schedule(timeout, () => waiter.settle(false));
      const waiter: Waiter = {
        after,
        settle: (proven) => {
          if (!this.waiters.delete(waiter)) return;
          cancel();
          resolve(proven);
        },
      };
      this.waiters.add(waiter);
    });
  }

  /** A poll that was sent at `sent` was accepted, or failed. */
  settle(sent: number, proven: boolean): void {
    for (const waiter of this.waiters) if (waiter.after <= sent) waiter.settle(proven);
  }

  /** The feed stops: nobody will be proven right any more. */
  close(): void {
    for (const waiter of this.waiters) waiter.settle(false);
  }

  /** Whether somebody waits for a proof that no poll sent at `sent` can give. */
  wantsLaterThan(sent: number): boolean {
    for (const { after } of this.waiters) if (after > sent) return true;
    return false;
  }
}
