import { setTimeout } from 'node:timers/promises';

/** A promise that the test settles. */
export interface Deferred<T = void> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

/** How long a test waits for an expected event, less than the limit on its own time (ms). */
const PATIENCE = 150_000n;

/**
 * Repeats the check until it succeeds.
 *
 * @throws with the name of the check, if it never succeeds.
 */
export async function eventually(look: () => boolean | Promise<boolean>): Promise<void> {
  // Tests move `performance.now` and `Date.now`.
  const end = process.hrtime.bigint() + PATIENCE * 1_000_000n;
  while (!(await look())) {
    if (process.hrtime.bigint() > end) throw new Error(`It never came to this: ${look}`);
    await setTimeout(5);
  }
}
