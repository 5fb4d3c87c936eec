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

/**
 * Lets callers who arrive while a call is under way share the next one: nobody gets an answer to a
 * question that was put before he came, and a thousand callers cost two calls.
 */
export class SharedCall<T> {
  private running: Promise<T> | undefined;
  private next: Promise<T> | undefined;

  constructor(private readonly call: () => Promise<T>) {}

  /** The outcome of a call that begins now or later. */
  run(): Promise<T> {
    if (this.running === undefined) return this.begin();
    this.next ??= this.running.then(
      () => this.begin(),
      () => this.begin(),
    );
    return this.next;
  }

  private begin(): Promise<T> {
    this.next = undefined;
    const running = this.call();
    this.running = running;
    const end = (): void => {
      // A later call may have taken the place already.
      if (this.running === running) this.running = undefined;
    };
    running.then(end, end);
    return running;
  }
}
