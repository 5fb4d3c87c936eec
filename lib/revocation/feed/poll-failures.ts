import { Logger } from '@nestjs/common';
import { randomInt } from 'node:crypto';
import { messageOf } from '../../platform/log-text.js';
import { AnotherLog } from '../log/log-history.js';

/** The shortest pause after a failed poll (ms). */
const SHORTEST = 50;

/** How many polls failed in a row, why, and when the next one is due. */
export class PollFailures {
  private readonly logger = new Logger('RevocationFeed');
  /** 0 while polls succeed. */
  count = 0;
  /** What made the last poll fail; `undefined` while they succeed. */
  last: unknown;

  add(error: unknown): void {
    this.last = error;
    this.count++;
    // The first failure is logged, and then each tenth.
    if (this.count % 10 !== 1) return;
    const level = error instanceof AnotherLog ? 'error' : 'warn';
    this.logger[level](
      `The revocation log could not be read (attempt ${this.count}): ${messageOf(error)}`,
    );
  }

  end(): void {
    if (this.count > 0) this.logger.log('The revocation log is followed again.');
    this.count = 0;
    this.last = undefined;
  }

  /**
   * Milliseconds until the next poll is due. After a failure it is a random time up to a limit that
   * doubles, so that the instances do not all return to the database at one moment.
   */
  pause(interval: number): number {
    if (this.count === 0) return interval * (0.8 + Math.random() * 0.2);
    const limit = Math.min(interval, SHORTEST * 2 ** Math.min(this.count, 10));
    return limit <= SHORTEST ? limit : randomInt(SHORTEST, Math.floor(limit) + 1);
  }
}
