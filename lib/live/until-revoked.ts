import { defer, finalize, map, type Observable, takeUntil } from 'rxjs';
import type { LiveToken } from './watch.js';

/** How a stream ends with its token. */
export type StreamEnd = 'complete' | 'error';

/**
 * Ends an Observable with its token.
 *
 * @param watch - Starts to watch the token: called at each subscription, released at its end.
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
 * Ends an iterator with its token. It is no generator: `return()` of a generator waits for the value that
 * it awaits, which may never come.
 */
export function iterateUntil<T>(
  source: AsyncIterable<T>,
  live: LiveToken,
  how: StreamEnd,
): AsyncIterableIterator<T> {
  const values = source[Symbol.asyncIterator]();
  const over: IteratorReturnResult<undefined> = { done: true, value: undefined };
  /** Calls of `next()` that wait for a value. A race with one promise would keep every value in memory. */
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
      // An iterator that has thrown is over: its consumer does not return it.
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
    // The source may never answer; nothing waits for it.
    close().catch(() => undefined);
  });
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
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
