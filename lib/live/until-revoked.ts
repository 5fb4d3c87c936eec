import { defer, finalize, map, type Observable, takeUntil } from 'rxjs';
import type { LiveToken } from './watch.js';

/**
 * How a stream ends when its token ends. `'complete'`: like a stream without further values. `'error'`: it
 * fails with the `AuthException`, so the client learns the reason.
 *
 * @publicApi
 */
export type StreamEnd = 'complete' | 'error';

/**
 * Ends an Observable when its token ends. It unsubscribes from the source, so the source can free what it uses.
 *
 * @param watch - Starts to watch the token. Called for each subscription; the watch is released when it ends.
 */
export function observeUntil<T>(
  source: Observable<T>,
  watch: () => LiveToken,
  how: StreamEnd,
): Observable<T> {
  const refuse = map((end: unknown): never => {
    throw end;
  });
  return defer(() => {
    const live = watch();
    const ended = how === 'error' ? live.ended.pipe(refuse) : live.ended;
    return source.pipe(
      takeUntil(ended),
      finalize(() => live.release()),
    );
  });
}

/**
 * Ends an iterator when its token ends. It is not a generator, because `return()` of a generator waits for the
 * pending value, which may never come.
 */
export function iterateUntil<T>(
  source: AsyncIterable<T>,
  live: LiveToken,
  how: StreamEnd,
): AsyncIterableIterator<T> {
  const values = source[Symbol.asyncIterator]();
  const over: IteratorReturnResult<undefined> = { done: true, value: undefined };
  /** Pending calls of `next()`. `Promise.race` with one shared promise would keep every value in memory. */
  const waiting = new Set<{
    resolve: (over: IteratorResult<T>) => void;
    reject: (end: unknown) => void;
  }>();
  let isOver = false;
  const close = async (): Promise<void> => {
    if (isOver) return;
    isOver = true;
    live.release();
    await values.return?.();
  };
  const pull = async (): Promise<IteratorResult<T>> => {
    try {
      const result = await values.next();
      if (result.done === true) await close();
      return result;
    } catch (error) {
      // An iterator that has thrown is finished. Its consumer does not call `return()`, so it is released here.
      isOver = true;
      live.release();
      throw error;
    }
  };
  live.ended.subscribe((end) => {
    for (const { resolve, reject } of waiting) {
      if (how === 'error') reject(end);
      else resolve(over);
    }
    // return() of the source may never settle, so nothing waits for it.
    close().catch(() => undefined);
  });
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      // The token may have ended between two calls, when no call was pending that could fail.
      if (live.end !== undefined && how === 'error') return Promise.reject(live.end);
      if (isOver) return Promise.resolve(over);
      return new Promise((resolve, reject) => {
        const waiter = { resolve, reject };
        waiting.add(waiter);
        void pull()
          .then(resolve, reject)
          .finally(() => waiting.delete(waiter));
      });
    },
    async return() {
      await close();
      return over;
    },
    async throw(error: unknown) {
      await close();
      throw error;
    },
  };
}
