import { Logger } from '@nestjs/common';
import { setImmediate } from 'node:timers';
import type { AuthException } from '../errors/auth.exception.js';
import type { AuthMeter } from '../events/auth-meter.service.js';
import { messageOf } from '../platform/log-text.js';
import type { Watch } from './watch.js';

/** How many fire in one turn of the event loop: closing 100,000 sockets must not delay the next poll. */
const TURN = 200;

/** Makes the refusal when it is needed: creating an exception costs more than all the rest. */
export type Ending = () => AuthException;

/**
 * The tokens that have ended and have not fired. They fire after the event was applied, never within it:
 * what a callback does, or throws, cannot disturb the feed.
 */
export class EndingQueue {
  private readonly logger = new Logger('LiveTokens');
  private readonly waiting = new Map<Watch, Ending>();

  constructor(private readonly meter: AuthMeter) {}

  add(watch: Watch, ending: Ending): void {
    if (this.waiting.size === 0) queueMicrotask(this.run);
    this.waiting.set(watch, ending);
  }

  /** What it is going to fire; `undefined` for one that does not wait. */
  find(watch: Watch): AuthException | undefined {
    const ending = this.waiting.get(watch);
    if (ending === undefined) return undefined;
    const end = ending();
    this.waiting.set(watch, () => end);
    return end;
  }

  /** It was released before it fired. */
  forget(watch: Watch): void {
    this.waiting.delete(watch);
  }

  private readonly run = (): void => {
    let left = TURN;
    for (const [watch, ending] of this.waiting) {
      if (left-- === 0) return void setImmediate(this.run);
      this.waiting.delete(watch);
      const end = ending();
      this.meter.liveEnded[end.code] = (this.meter.liveEnded[end.code] ?? 0) + 1;
      try {
        watch.fire(end);
      } catch (error) {
        this.logger.error(`A callback of LiveTokens.watch() threw: ${messageOf(error)}`);
      }
    }
  };
}
