import type { DataSource, QueryRunner } from 'typeorm';
import { clearTimeout, setTimeout } from 'node:timers';
import type { Dialect } from './dialect.js';
import { type LogDatabase, StorageFailure } from './log-database.js';
import type { Row, Statement, StatementResult, Transaction } from './statement.js';

/** A client connection as the drivers of PostgreSQL (`connection.stream`) and MySQL have it. */
interface DriverConnection {
  connection?: { stream?: { destroy(): void } };
  destroy?(): void;
}

/** PostgreSQL, MySQL and MariaDB: three connections of our own DataSource. */
export class ServerLogDatabase implements LogDatabase {
  private feed: QueryRunner | undefined;
  private readonly prepared = new WeakSet<object>();

  constructor(
    private readonly dataSource: DataSource,
    readonly dialect: Dialect,
  ) {}

  async read(statement: Statement): Promise<StatementResult> {
    const runner = await this.connect();
    try {
      return await this.run(runner, statement);
    } finally {
      await runner.release();
    }
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
    const answer = (async () => {
      this.feed ??= await this.connect();
      onSend();
      return this.run(this.feed, statement);
    })();
    answer.catch(() => undefined); // its error is reported by the race, or came too late
    try {
      return await Promise.race([answer, late]);
    } catch (error) {
      await this.dropFeed();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async transaction<T>(body: () => Transaction<T>): Promise<T> {
    let runner: QueryRunner;
    try {
      runner = await this.connect();
    } catch (error) {
      throw new StorageFailure('rolled back', 'The database cannot be reached.', true, error);
    }
    try {
      return await this.drive(runner, body());
    } finally {
      await runner.release();
    }
  }

  async close(): Promise<void> {
    await this.dropFeed();
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }

  private async drive<T>(runner: QueryRunner, body: Transaction<T>): Promise<T> {
    let result: T;
    try {
      for (const sql of this.dialect.begin) await runner.query(sql);
      let step = body.next();
      while (step.done !== true) step = body.next(await this.run(runner, step.value));
      result = step.value;
    } catch (error) {
      const kind = this.dialect.failure(error);
      await this.rollBack(runner);
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
      const lost = this.dialect.failure(error) === 'connection';
      destroy(await runner.connect());
      if (!lost) {
        throw new StorageFailure('rolled back', 'The database refused to commit.', true, error);
      }
      throw new StorageFailure('unknown', 'The answer to COMMIT was lost.', true, error);
    }
  }

  /** A connection that cannot even roll back is never handed to the next caller. */
  private async rollBack(runner: QueryRunner): Promise<void> {
    try {
      await runner.query('ROLLBACK');
    } catch {
      destroy(await runner.connect());
    }
  }

  private async connect(): Promise<QueryRunner> {
    const runner = this.dataSource.createQueryRunner('master');
    try {
      const connection = (await runner.connect()) as object;
      if (!this.prepared.has(connection)) {
        for (const sql of this.dialect.prepareConnection) await runner.query(sql);
        this.prepared.add(connection);
      }
      return runner;
    } catch (error) {
      await runner.release();
      throw error;
    }
  }

  private async run(runner: QueryRunner, { sql, values }: Statement): Promise<StatementResult> {
    const result = await runner.query(sql, values as unknown[], true);
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

/** Cuts the socket: the pool notices and opens another one; nothing hung is ever released. */
function destroy(connection: DriverConnection): void {
  if (connection.connection?.stream !== undefined) connection.connection.stream.destroy();
  else connection.destroy?.();
}
