import type { DataSource, QueryRunner } from 'typeorm';
import { clearTimeout, setTimeout } from 'node:timers';
import type { Dialect } from './dialect.js';
import { isServerError } from './driver-error.js';
import { type LogDatabase, StorageFailure } from './log-database.js';
import type { Row, Statement, StatementResult, Transaction } from './statement.js';

/**
 * For how long a transaction or a read may take before its connection is cut (ms): longer than a lock
 * is waited for, and short enough to try again on another connection while the caller waits.
 */
const ANSWER_LIMIT = 2_500;

/** A client connection as the drivers of PostgreSQL (`connection.stream`) and MySQL (`stream`) have it. */
interface DriverConnection {
  connection?: { stream?: { destroy(): void } };
  stream?: { destroy(): void };
  end?(): Promise<void>;
  destroy?(): void;
}

/** PostgreSQL, MySQL and MariaDB: three connections of our own DataSource. */
export class ServerLogDatabase implements LogDatabase {
  private feed: QueryRunner | undefined;
  private readonly prepared = new WeakSet<object>();

  constructor(
    private readonly dataSource: DataSource,
    readonly dialect: Dialect,
    /** For who only looks: a standby may answer. */
    private readonly mayBeStandby = false,
  ) {}

  read(statement: Statement): Promise<StatementResult> {
    return this.withConnection((runner) => this.run(runner, statement));
  }

  async poll(statement: Statement, timeout: number, onSend: () => void): Promise<StatementResult> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`The database did not answer the poll within ${timeout} ms.`)),
        timeout,
      );
      timer.unref();
    });
    let isLate = false;
    const answer = (async () => {
      const runner = this.feed ?? (await this.connect());
      if (isLate) {
        // The next poll has a connection of its own; this one would be held by nobody, for ever.
        await runner.release();
        throw new Error('The connection was had too late.');
      }
      this.feed = runner;
      onSend();
      return this.run(runner, statement);
    })();
    answer.catch(() => undefined); // its error is reported by the race, or came too late
    try {
      return await Promise.race([answer, late]);
    } catch (error) {
      isLate = true;
      await this.dropFeed();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async transaction<T>(body: () => Transaction<T>): Promise<T> {
    try {
      return await this.withConnection((runner) => this.drive(runner, body()));
    } catch (error) {
      if (error instanceof StorageFailure) throw error;
      throw new StorageFailure('rolled back', 'The database cannot be reached.', true, error);
    }
  }

  async close(): Promise<void> {
    await this.dropFeed();
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
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
      if (kind === 'connection' && isServerError(error)) destroy(await runner.connect());
      else await this.rollBack(runner);
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
      destroy(await runner.connect());
      // Only a conflict is a sure no; whatever else went wrong, the commit may have been made.
      const outcome = this.dialect.failure(error) === 'conflict' ? 'rolled back' : 'unknown';
      throw new StorageFailure(outcome, 'COMMIT was not answered well.', true, error);
    }
  }

  /** Opens the transaction and runs its first statement, in one round trip where the driver can. */
  private async begin(runner: QueryRunner, first: Statement): Promise<StatementResult> {
    const { begin, openWith } = this.dialect;
    if (openWith !== undefined && first.values.length === 0) {
      return openWith(await runner.connect(), first.sql);
    }
    for (const sql of begin) await runner.query(sql);
    return this.run(runner, first);
  }

  /** A connection that cannot even roll back is never handed to the next caller. */
  private async rollBack(runner: QueryRunner): Promise<void> {
    try {
      await runner.query('ROLLBACK');
    } catch {
      destroy(await runner.connect());
    }
  }

  /** Nobody waits for ever on a connection that is frozen: it is cut, and its statement fails. */
  private async withConnection<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    const runner = await this.connect();
    const connection = (await runner.connect()) as DriverConnection;
    const timer = setTimeout(() => destroy(connection), ANSWER_LIMIT);
    timer.unref();
    try {
      return await work(runner);
    } finally {
      clearTimeout(timer);
      await runner.release();
    }
  }

  private async connect(): Promise<QueryRunner> {
    const runner = this.dataSource.createQueryRunner('master');
    try {
      const connection = (await runner.connect()) as DriverConnection;
      if (this.prepared.has(connection)) return runner;
      const timer = setTimeout(() => destroy(connection), ANSWER_LIMIT);
      timer.unref();
      try {
        for (const sql of this.dialect.prepareConnection) await runner.query(sql);
      } finally {
        clearTimeout(timer);
      }
      this.prepared.add(connection);
      return runner;
    } catch (error) {
      await runner.release();
      throw error;
    }
  }

  private async run(runner: QueryRunner, { sql, values }: Statement): Promise<StatementResult> {
    const result = await runner.query(sql, values as unknown[], true);
    const [first] = (result.records ?? []) as Row[];
    if (first?.['read_only'] === '1' && !this.mayBeStandby) {
      // Its address may lead to the new primary by now, but only a new connection finds out.
      destroy(await runner.connect());
      throw new Error(
        'A standby answered: it cannot be written to, and what it says of the log may be old.',
      );
    }
    return { rows: (result.records ?? []) as Row[], affected: result.affected ?? 0 };
  }

  private async dropFeed(): Promise<void> {
    const runner = this.feed;
    this.feed = undefined;
    if (runner === undefined || runner.isReleased) return;
    destroy(await runner.connect());
    await runner.release();
  }
}

/**
 * Cuts the socket at once. A client of PostgreSQL is marked as ending first: the pool takes no such
 * client back, and so never hands a hung one to the next caller.
 */
function destroy(connection: DriverConnection): void {
  if (connection.connection?.stream !== undefined) {
    connection.end?.().catch(() => undefined);
    connection.connection.stream.destroy();
    return;
  }
  // mysql2's own destroy() only says that it wants to end: a statement in flight would never fail.
  if (connection.stream === undefined) connection.destroy?.();
  else connection.stream.destroy();
}
