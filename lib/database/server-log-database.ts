import type { DataSource, QueryRunner } from 'typeorm';
import { clearTimeout, setTimeout } from 'node:timers';
import { withinTime } from '../platform/async-calls.js';
import type { AuthClock } from '../platform/auth-clock.js';
import { CONNECT_LIMIT, POOL_SIZE } from './derive-data-source-options.js';
import type { Dialect, OneStatement } from './dialect.js';
import {
  cut,
  cutAndRelease,
  type DriverConnection,
  isServerError,
  LastAnswers,
} from './driver-connection.js';
import type { FeedConnection } from './feed-connection.js';
import { type LogDatabase, StorageFailure, type Via } from './log-database.js';
import type { Row, Statement, StatementResult, Transaction } from './statement.js';

/**
 * How long a transaction or a read may take before its connection is cut (ms). It is longer than the lock
 * timeout, and short enough that the caller can still try again on another connection.
 */
const ANSWER_LIMIT = 2_500;

/** How long a load or a registration on the feed's connection may take, including a reconnect (ms). */
const FEED_LIMIT = CONNECT_LIMIT + ANSWER_LIMIT;

/** A pool connection that was not used for longer (ms) may be dead, so it is replaced before it is used. */
const TRUSTED_FOR = 10_000;

/** A connection of the pool while one caller uses it. */
interface Lease {
  readonly runner: QueryRunner;
  readonly connection: DriverConnection;
  /** Whether it is new. */
  readonly isFresh: boolean;
}

/** PostgreSQL, MySQL and MariaDB: a small pool of our own DataSource, and the feed's connection. */
export class ServerLogDatabase implements LogDatabase {
  /** When each pool connection last answered. A connection that is not in it is new and must be prepared. */
  private readonly answers: LastAnswers;

  constructor(
    private dataSource: DataSource,
    readonly dialect: Dialect,
    private feed: FeedConnection,
    clock: Pick<AuthClock, 'wall' | 'monotonic'>,
    private readonly settings: {
      /** Whether a standby may answer; for commands that only read. */
      readonly mayBeStandby: boolean;
      /** Called with the error of a failed connection; it throws the error again. */
      readonly onFailure: (error: unknown) => never;
    },
  ) {
    this.answers = new LastAnswers(clock);
  }

  read(statement: Statement, via: Via = 'pool'): Promise<StatementResult> {
    if (via === 'feed') return this.poll(statement, FEED_LIMIT, () => undefined);
    return this.withConnection((runner) => this.run(runner, statement), true);
  }

  poll(statement: Statement, timeout: number, onSend: () => void): Promise<StatementResult> {
    return this.feed.ask(timeout, (runner) => {
      onSend();
      return this.run(runner, statement);
    });
  }

  async transaction<T>(body: () => Transaction<T>, via: Via = 'pool'): Promise<T> {
    const drive = (runner: QueryRunner): Promise<T> => this.drive(runner, body());
    try {
      return await (via === 'feed' ? this.onFeed(drive) : this.withConnection(drive));
    } catch (error) {
      if (error instanceof StorageFailure) throw error;
      const outcome = via === 'feed' ? 'unknown' : 'rolled back';
      throw new StorageFailure(outcome, 'The database cannot be reached.', true, error);
    }
  }

  async transactionOf(statement: Statement): Promise<StatementResult> {
    const one = this.dialect.oneStatement as OneStatement;
    let isSent = false;
    try {
      return await this.withConnection(async (runner) => {
        const connection = (await runner.connect()) as DriverConnection;
        isSent = true;
        try {
          return await one.run(connection, statement);
        } catch (error) {
          // Cut it if the server may still execute the statement, so that the next caller does not wait.
          if (this.dialect.failure(error) === 'connection' || !one.isUndone(error)) cut(connection);
          throw error;
        }
      });
    } catch (error) {
      const outcome = isSent && !one.isUndone(error) ? 'unknown' : 'rolled back';
      throw new StorageFailure(outcome, 'The statement was not answered well.', true, error);
    }
  }

  /**
   * Runs a transaction on the feed's connection. `ask()` repeats what fails on a dead connection, and a
   * transaction must not be repeated: it may have been committed. So its failure is passed as a result.
   */
  private async onFeed<T>(drive: (runner: QueryRunner) => Promise<T>): Promise<T> {
    const [settled] = await this.feed.ask(FEED_LIMIT, (runner) =>
      Promise.allSettled([drive(runner)]),
    );
    if (settled.status === 'rejected') throw settled.reason;
    return settled.value;
  }

  async adopt(next: this): Promise<void> {
    const { dataSource, feed } = this;
    this.dataSource = next.dataSource;
    this.feed = next.feed;
    await closeAll(feed, dataSource);
  }

  close(): Promise<void> {
    return closeAll(this.feed, this.dataSource);
  }

  private async drive<T>(runner: QueryRunner, body: Transaction<T>): Promise<T> {
    let result: T;
    try {
      let step = body.next();
      if (step.done !== true) step = body.next(await this.begin(runner, step.value));
      while (step.done !== true) step = body.next(await this.run(runner, step.value));
      result = step.value;
    } catch (error) {
      const kind = this.dialect.failure(error);
      if (kind === 'connection' && isServerError(error)) cut(await runner.connect());
      else await this.rollBack(runner);
      if (error instanceof StorageFailure) throw error;
      throw new StorageFailure(
        'rolled back',
        'The database refused the transaction.',
        kind !== 'permanent',
        error,
      );
    }
    try {
      await runner.query('COMMIT');
      return result;
    } catch (error) {
      cut(await runner.connect());
      // Only a conflict proves that nothing was committed. After any other error it may have been.
      const outcome = this.dialect.failure(error) === 'conflict' ? 'rolled back' : 'unknown';
      throw new StorageFailure(outcome, 'COMMIT was not answered well.', true, error);
    }
  }

  /** Opens the transaction and runs its first statement, in one round trip if the driver can. */
  private async begin(runner: QueryRunner, first: Statement): Promise<StatementResult> {
    const { begin, openWith } = this.dialect;
    if (openWith !== undefined && first.values.length === 0) {
      return openWith(await runner.connect(), first.sql);
    }
    for (const sql of begin) await runner.query(sql);
    return this.run(runner, first);
  }

  /** Rolls back. If that fails, the connection is cut, so that the next caller does not get it. */
  private async rollBack(runner: QueryRunner): Promise<void> {
    try {
      await runner.query('ROLLBACK');
    } catch {
      cut(await runner.connect());
    }
  }

  /**
   * Runs `work` on a connection of the pool. A connection that does not answer in time is cut, so that its
   * statement fails and no caller waits forever.
   *
   * @param isRepeatable - Whether `work` may run again on another connection if this one is dead.
   */
  private async withConnection<T>(
    work: (runner: QueryRunner) => Promise<T>,
    isRepeatable = false,
  ): Promise<T> {
    const { runner, connection, isFresh } = await this.connect();
    let isCut = false;
    const timer = setTimeout(() => {
      isCut = true;
      cut(connection);
    }, ANSWER_LIMIT);
    timer.unref();
    try {
      return await work(runner);
    } catch (error) {
      const isDead = !isCut && !isFresh && this.dialect.failure(error) === 'connection';
      if (!isRepeatable || !isDead) throw error;
    } finally {
      clearTimeout(timer);
      this.answers.note(connection);
      await runner.release();
    }
    // This ends, because each round removes one of the old connections.
    return this.withConnection(work, isRepeatable);
  }

  /** Takes a connection from the pool. Those that may be dead are replaced, each at most once. */
  private async connect(): Promise<Lease> {
    for (let replaced = 0; ; replaced++) {
      const runner = this.dataSource.createQueryRunner('master');
      const connection = await this.connectionOf(runner);
      const silence = this.answers.silenceOf(connection);
      if (replaced < POOL_SIZE && silence !== undefined && silence > TRUSTED_FOR) {
        await cutAndRelease(runner, connection);
        continue;
      }
      const isFresh = silence === undefined;
      if (isFresh) await this.prepare(runner, connection);
      return { runner, connection, isFresh };
    }
  }

  private async connectionOf(runner: QueryRunner): Promise<DriverConnection> {
    const connection: unknown = await withinTime(
      runner.connect(),
      CONNECT_LIMIT,
      `No connection of the log's pool was free within ${CONNECT_LIMIT / 1000} seconds.`,
      // A connection that comes too late goes back to the pool.
      () => void runner.release(),
    ).catch(this.settings.onFailure);
    return connection as DriverConnection;
  }

  private async prepare(runner: QueryRunner, connection: DriverConnection): Promise<void> {
    const timer = setTimeout(() => cut(connection), ANSWER_LIMIT);
    timer.unref();
    try {
      for (const sql of this.dialect.prepareConnection) await runner.query(sql);
      this.answers.note(connection);
    } catch (error) {
      await cutAndRelease(runner, connection);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  private async run(runner: QueryRunner, statement: Statement): Promise<StatementResult> {
    const result = await this.send(runner, statement);
    if (result.rows[0]?.['read_only'] === '1' && !this.settings.mayBeStandby) {
      // Cut it: the host name may lead to the new primary by now, but only a new connection looks it up.
      cut(await runner.connect());
      throw new Error(
        'A standby answered: it cannot be written to, and what it says of the log may be old.',
      );
    }
    return result;
  }

  /** Sends a statement. TypeORM cannot name a plan, so a statement with a name bypasses it. */
  private async send(runner: QueryRunner, statement: Statement): Promise<StatementResult> {
    const { oneStatement } = this.dialect;
    if (statement.name !== undefined && oneStatement !== undefined) {
      return oneStatement.run(await runner.connect(), statement);
    }
    const { records, affected } = await runner.query(statement.sql, [...statement.values], true);
    return { rows: (records ?? []) as Row[], affected: affected ?? 0 };
  }
}

async function closeAll(feed: FeedConnection, dataSource: DataSource): Promise<void> {
  await feed.close();
  if (dataSource.isInitialized) await dataSource.destroy();
}
