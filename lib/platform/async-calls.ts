import { randomInt } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { clearTimeout, setTimeout } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * The pause between two attempts (ms). It is random, so that two callers in conflict do not collide
 * again.
 */
const PAUSE = { from: 5, to: 60 };

/**
 * Waits at most `limit` milliseconds for `work`. The work itself is not cancelled.
 *
 * @param whenLate - Called with a result that came too late, so that it can be closed.
 * @throws Error with `message` if it takes longer.
 */
export async function withinTime<T>(
  work: Promise<T>,
  limit: number,
  message: string,
  whenLate?: (late: T) => void,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let isLate = false;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      isLate = true;
      reject(new Error(message));
    }, limit);
    timer.unref();
  });
  work.then(
    (late) => (isLate ? whenLate?.(late) : undefined),
    () => undefined,
  );
  try {
    return await Promise.race([work, silence]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Single-flight: callers that arrive while a call is running share the next one. So each caller
 * gets an answer to a question that was sent after it arrived, and a thousand callers cost two
 * calls.
 */
export class SharedCall<T> {
  private running: Promise<T> | undefined;
  private next: Promise<T> | undefined;

  constructor(private readonly call: () => Promise<T>) {}

  /** The outcome of a call that starts now or later, never of one that started before. */
  run(): Promise<T> {
    if (this.running === undefined) return this.begin();
    this.next ??= this.running.then(
      () => this.begin(),
      () => this.begin(),
    );
    return this.next;
  }

  /**
   * The outcome of the running call, or of one that starts now. Use it for work that does not
   * depend on when it started.
   */
  join(): Promise<T> {
    return this.running ?? this.begin();
  }

  /** Resolves when no call is running, however it ended. */
  async idle(): Promise<void> {
    while (this.running !== undefined) await this.running.catch(() => undefined);
  }

  private begin(): Promise<T> {
    this.next = undefined;
    const running = this.call();
    this.running = running;
    const end = (): void => {
      // A later call may have replaced it already.
      if (this.running === running) this.running = undefined;
    };
    running.then(end, end);
    return running;
  }
}

/**
 * Runs `work`, and retries it after an error that may be temporary.
 *
 * @param patience - Milliseconds since the first attempt after which an error is no longer retried.
 * @param mayPass - Whether an error may be temporary.
 */
export async function retried<T>(
  work: () => Promise<T>,
  patience: number,
  mayPass: (error: unknown) => boolean,
): Promise<T> {
  const deadline = performance.now() + patience;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!mayPass(error) || performance.now() > deadline) throw error;
      await pause(randomInt(PAUSE.from, PAUSE.to));
    }
  }
}
