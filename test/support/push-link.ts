import { PushLink } from './internals.js';
import type { Instance } from './instance.js';

/** The push link of an instance, with the method that each message of another instance calls. */
export function pushOf({ app }: Instance): { wakeUp(position: number): void } {
  return app.get(PushLink, { strict: false }) as unknown as { wakeUp(position: number): void };
}
