import { clearTimeout, setTimeout } from 'node:timers';

/**
 * What `work` gives, if it does so within `limit` milliseconds.
 *
 * @param whenLate - Called with what came after that, so that it can be ended.
 * @throws Error with `message` when it took longer.
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
