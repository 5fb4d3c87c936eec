import { Logger } from '@nestjs/common';
import type { DataSource, QueryRunner } from 'typeorm';
import type { AuthClock } from '../platform/auth-clock.js';
import { messageOf } from '../platform/log-text.js';
import { withinTime } from '../platform/async-calls.js';
import type { Dialect } from './dialect.js';
import { cutAndRelease, type DriverConnection, LastAnswers } from './driver-connection.js';

/** One connection and the DataSource that has only this connection. */
interface FeedLink {
  readonly dataSource: DataSource;
  readonly runner: QueryRunner;
  readonly connection: DriverConnection;
  /** The error with which the driver reported that the connection is lost. */
  broken?: unknown;
}

/** How the feed connects, and when it no longer trusts a connection. */
export interface FeedConnectionOptions {
  /** Returns a new, initialized DataSource with one connection at each call. */
  readonly open: () => Promise<DataSource>;
  readonly dialect: Dialect;
  readonly clock: Pick<AuthClock, 'wall' | 'monotonic'>;
  /** A connection that was silent for longer (ms) is replaced before it is used. */
  readonly trustedFor: number;
}

/**
 * The connection of the feed. It is outside every pool, so that an exhausted pool delays no poll and no
 * reconnect.
 *
 * A dead socket does not mean that the database is down. So a connection that was silent for much longer than
 * the time between two polls, for example because the process was frozen, is replaced before it is used. If
 * the connection breaks during a statement, it is replaced at once, and the statement is sent again.
 */
export class FeedConnection {
  private readonly logger = new Logger('RevocationFeed');
  private readonly answers: LastAnswers;
  private link: FeedLink | undefined;

  constructor(private readonly options: FeedConnectionOptions) {
    this.answers = new LastAnswers(options.clock);
  }

  /**
   * Runs `send` on the connection, and once more on a new connection if the old one is dead.
   *
   * @param timeout - Milliseconds for everything, including a reconnect. A connection that has not answered
   * by then is destroyed and never reused (F5), because it would delay the next poll too.
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
        // The caller has given up, and the next poll opens its own connection. No one would close this one.
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

  /** Closes the connection. The next `ask()` would open another one. */
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

  /** The current connection, unless it is dead or was silent for too long. */
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
      // Without a listener, the `error` event of a dying connection would end the process.
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

/** Closes a connection that may hang. It never fails, because the connection is given up anyway. */
async function discard({ dataSource, runner, connection }: FeedLink): Promise<void> {
  try {
    await cutAndRelease(runner, connection);
    await dataSource.destroy();
  } catch {
    // The connection is gone already.
  }
}
