import { Logger } from '@nestjs/common';
import type { DataSource, QueryRunner } from 'typeorm';
import type { AuthClock } from '../platform/auth-clock.js';
import { messageOf } from '../platform/log-text.js';
import { withinTime } from '../platform/async-calls.js';
import type { Dialect } from './dialect.js';
import { cutAndRelease, type DriverConnection, LastAnswers } from './driver-connection.js';

/** One connection with the DataSource that exists for it alone. */
interface FeedLink {
  readonly dataSource: DataSource;
  readonly runner: QueryRunner;
  readonly connection: DriverConnection;
  /** Why the driver says that it is over. */
  broken?: unknown;
}

/** How the feed connects, and when it distrusts a connection. */
export interface FeedConnectionOptions {
  /** An initialised DataSource with one connection; a new one at each call. */
  readonly open: () => Promise<DataSource>;
  readonly dialect: Dialect;
  readonly clock: Pick<AuthClock, 'wall' | 'monotonic'>;
  /** A connection that was silent for longer (ms) is replaced before it is used. */
  readonly trustedFor: number;
}

/**
 * The connection of the feed, outside every pool, so that whoever fills a pool delays no poll and no
 * reconnect.
 *
 * A dead socket is not a dead database. A connection that was silent for much longer than polls leave it,
 * as after the process was frozen, is replaced before it is used. One that breaks under a statement is
 * replaced at once, and the statement is sent again on the new one.
 */
export class FeedConnection {
  private readonly logger = new Logger('RevocationFeed');
  private readonly answers: LastAnswers;
  private link: FeedLink | undefined;

  constructor(private readonly options: FeedConnectionOptions) {
    this.answers = new LastAnswers(options.clock);
  }

  /**
   * Runs `send` on the connection, and once more on a new one where the old one turns out to be dead.
   *
   * @param timeout - Milliseconds for everything, the reconnect included; a connection that has not
   * answered by then is destroyed, never reused (F5).
   */
  async ask<T>(timeout: number, send: (runner: QueryRunner) => Promise<T>): Promise<T> {
    let isLate = false;
    const answer = (async () => {
      const old = this.trusted();
      if (old !== undefined) {
        try {
          return await this.use(old, send);
        } catch (error) {
          if (isLate || this.options.dialect.failure(error) !== 'connection') throw error;
          this.replace(old, error);
        }
      }
      const link = await this.connect();
      if (isLate) {
        // The next poll has a connection of its own; this one would never be released.
        void discard(link);
        throw new Error('The connection was established too late.');
      }
      this.link = link;
      return this.use(link, send);
    })();
    try {
      return await withinTime(
        answer,
        timeout,
        `The database did not answer the poll within ${timeout} ms.`,
      );
    } catch (error) {
      isLate = true;
      void this.close();
      throw error;
    }
  }

  /** Ends the connection; the next question would open another. */
  async close(): Promise<void> {
    const { link } = this;
    this.link = undefined;
    if (link !== undefined) await discard(link);
  }

  private async use<T>(link: FeedLink, send: (runner: QueryRunner) => Promise<T>): Promise<T> {
    const answer = await send(link.runner);
    this.answers.note(link);
    return answer;
  }

  /** The connection there is, unless it is known or likely to be dead. */
  private trusted(): FeedLink | undefined {
    const { link } = this;
    if (link === undefined) return undefined;
    const silence = this.answers.silenceOf(link) ?? 0;
    if (link.broken === undefined && silence <= this.options.trustedFor) return link;
    this.replace(link, link.broken ?? new Error(`It was silent for ${Math.round(silence)} ms.`));
    return undefined;
  }

  private replace(link: FeedLink, why: unknown): void {
    const cause = link.broken ?? why;
    this.logger.debug(`The feed reconnects, because its connection has ended: ${messageOf(cause)}`);
    if (this.link === link) this.link = undefined;
    void discard(link);
  }

  private async connect(): Promise<FeedLink> {
    const { open, dialect } = this.options;
    const dataSource = await open();
    const runner = dataSource.createQueryRunner('master');
    let link: FeedLink | undefined;
    try {
      const connection = (await runner.connect()) as DriverConnection;
      link = { dataSource, runner, connection };
      this.answers.note(link);
      const opened = link;
      connection.on?.('error', (error) => (opened.broken ??= error));
      for (const sql of dialect.prepareConnection) await runner.query(sql);
      return link;
    } catch (error) {
      if (link === undefined) await dataSource.destroy();
      else void discard(link);
      throw error;
    }
  }
}

/** Ends a connection that may be hung, and never fails: whatever is wrong with it is known. */
async function discard({ dataSource, runner, connection }: FeedLink): Promise<void> {
  try {
    await cutAndRelease(runner, connection);
    await dataSource.destroy();
  } catch {
    // It is gone.
  }
}
