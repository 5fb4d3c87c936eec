import { randomInt } from 'node:crypto';
import { AuthUnavailableException } from '../errors/unavailable.exception.js';

/** How much of a database one kind of look-up may take. */
export interface LaneLimits {
  /** Keys in one statement; one statement is in flight at a time. */
  readonly batch: number;
  /** Keys that wait for the next statements; who comes on top of them is refused at once. */
  readonly queue: number;
}

/** Clients that were refused together come back apart (s). */
const RETRY_AFTER = [1, 5] as const;

interface Waiting<T> {
  readonly found: Promise<T | undefined>;
  readonly resolve: (found: T | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Looks keys up in batches, one statement at a time: however many callers there are, they take one
 * connection, and a caller never gets the result of a statement that was sent before its call.
 */
export class LookupLane<T> {
  private readonly waiting = new Map<string, Waiting<T>>();
  private isRunning = false;

  /** @param look - One statement: what was found, by key. */
  constructor(
    private readonly look: (keys: readonly string[]) => Promise<ReadonlyMap<string, T>>,
    private readonly limits: LaneLimits,
  ) {}

  /** @throws AuthUnavailableException `storage_unavailable` when the queue is full. */
  find(key: string): Promise<T | undefined> {
    const shared = this.waiting.get(key);
    if (shared !== undefined) return shared.found;
    if (this.waiting.size >= this.limits.queue) {
      return Promise.reject(
        new AuthUnavailableException(
          'storage_unavailable',
          'Too many tokens are being looked up at this moment. Try again.',
          { retryAfter: randomInt(RETRY_AFTER[0], RETRY_AFTER[1] + 1) },
        ),
      );
    }
    const waiting = newWaiting<T>();
    this.waiting.set(key, waiting);
    if (!this.isRunning) void this.run();
    return waiting.found;
  }

  private async run(): Promise<void> {
    this.isRunning = true;
    while (this.waiting.size > 0) {
      const batch = [...this.waiting].slice(0, this.limits.batch);
      for (const [key] of batch) this.waiting.delete(key);
      try {
        const found = await this.look(batch.map(([key]) => key));
        for (const [key, { resolve }] of batch) resolve(found.get(key));
      } catch (error) {
        for (const [, { reject }] of batch) reject(error);
      }
    }
    this.isRunning = false;
  }
}

function newWaiting<T>(): Waiting<T> {
  let resolve: Waiting<T>['resolve'] = () => undefined;
  let reject: Waiting<T>['reject'] = () => undefined;
  const found = new Promise<T | undefined>((settle, fail) => {
    resolve = settle;
    reject = fail;
  });
  return { found, resolve, reject };
}
