import { Logger } from '@nestjs/common';
import { setImmediate } from 'node:timers';
import type { AuthException } from '../errors/auth.exception.js';
import { messageOf } from '../platform/log-text.js';
import type { Watch } from './watch.js';

/** So many fire in one turn of the event loop: closing 100,000 sockets must not keep the next poll waiting. */
const TURN = 500;

/**
 * The tokens that have ended and whose connections are to be told. They fire after the event was applied,
 * never within it: what a callback does, or throws, cannot disturb the feed.
 */
export class EndingQueue {
  private readonly logger = new Logger('LiveTokens');
  private readonly waiting = new Map<Watch, AuthException>();

  add(watch: Watch, end: AuthException): void {
    if (this.waiting.size === 0) queueMicrotask(this.run);
    this.waiting.set(watch, end);
  }

  /** It was released before it fired. */
  forget(watch: Watch): void {
    this.waiting.delete(watch);
  }

  private readonly run = (): void => {
    let left = TURN;
    for (const [watch, end] of this.waiting) {
      if (left-- === 0) return void setImmediate(this.run);
      this.waiting.delete(watch);
      try {
        watch.fire(end);
      } catch (error) {
        this.logger.error(`A callback of LiveTokens.watch() threw: ${messageOf(error)}`);
      }
    }
  };
}
