import { Logger } from '@nestjs/common';
import { randomInt } from 'node:crypto';
import { AnotherLog } from '../log/log-history.js';
import { messageOf } from '../../platform/message-of.js';

/** The shortest pause after a failed poll (ms). */
const SHORTEST = 50;

/** How many polls have failed in a row, why, and when the next one is due. */
export class PollFailures {
  private readonly logger = new Logger('RevocationFeed');
  private inARow = 0;
  private reason: unknown;

  /** 0 while polls succeed. */
  get count(): number {
    return this.inARow;
  }

  /** What made the last poll fail; `undefined` while they succeed. */
  get last(): unknown {
    return this.reason;
  }

  add(error: unknown): void {
    this.reason = error;
    this.inARow++;
    // The first failure and then each tenth: loud, but no flood while a database is away.
    if (this.inARow % 10 !== 1) return;
    const level = error instanceof AnotherLog ? 'error' : 'warn';
    this.logger[level](
      `The revocation log could not be read (attempt ${this.inARow}): ${messageOf(error)}`,
    );
  }

  end(): void {
    if (this.inARow > 0) this.logger.log('The revocation log is followed again.');
    this.inARow = 0;
    this.reason = undefined;
  }

  /**
   * Milliseconds until the next poll is due. After a failure anything up to a limit that doubles: a
   * database that comes back must not meet all instances at one moment.
   */
  pause(interval: number): number {
    if (this.inARow === 0) return interval * (0.8 + Math.random() * 0.2);
    const limit = Math.min(interval, SHORTEST * 2 ** Math.min(this.inARow, 10));
    return limit <= SHORTEST ? limit : randomInt(SHORTEST, Math.floor(limit) + 1);
  }
}
