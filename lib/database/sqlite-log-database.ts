import type { DataSource } from 'typeorm';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import type { Dialect } from './dialect.js';
import { type LogDatabase, StorageFailure } from './log-database.js';
import type { Row, Statement, StatementResult, Transaction } from './statement.js';

/** The part of better-sqlite3's Database that is used. */
export interface SqliteHandle {
  readonly inTransaction: boolean;
  prepare(sql: string): {
    readonly reader: boolean;
    all(...values: unknown[]): unknown[];
    run(...values: unknown[]): { changes: number };
  };
  pragma(source: string): unknown;
}

/** How long a write waits for the application's own transaction (ms). */
const GATE_TIMEOUT = 5_000;

const LOCKED = 'A write transaction of the application kept SQLite locked for 5 seconds.';
const ADVICE =
  `${LOCKED} If this logout was called inside that transaction, pass its manager: ` +
  'logout(token, { manager }).';

/** The message if the in-memory database, and with it every revocation, is gone. */
const FORGOTTEN =
  'The application opened its in-memory DataSource again: that is a new database, and the revocation ' +
  'log went with the old one. Restart the application, or use a file.';

/** The better-sqlite3 handle of a DataSource; `undefined` before it is initialized. */
export function handleOf(dataSource: DataSource | undefined): SqliteHandle | undefined {
  const driver = dataSource?.driver as unknown as { databaseConnection?: SqliteHandle } | undefined;
  return driver?.databaseConnection;
}

/**
 * The log on SQLite. Every transaction runs synchronously, within one tick, on a handle of its own, and only
 * while the application has no open transaction. So this library never causes a SQLITE_BUSY in the
 * application.
 */
export class SqliteLogDatabase implements LogDatabase {
  private readonly prepared = new Map<string, ReturnType<SqliteHandle['prepare']>>();

  constructor(
    /** Our own DataSource; `undefined` for an in-memory database, where the handle is the application's. */
    private dataSource: DataSource | undefined,
    private handle: SqliteHandle,
    readonly dialect: Dialect,
    /** The application's DataSource. Its handle is read each time: it can be initialized later, or again. */
    private readonly application: DataSource | undefined,
  ) {}

  async read(statement: Statement): Promise<StatementResult> {
    return this.whenFree(() => this.run(statement), this.dataSource === undefined);
  }

  async poll(statement: Statement, _: number, onSend: () => void): Promise<StatementResult> {
    return this.whenFree(() => {
      onSend();
      return this.run(statement);
    }, this.dataSource === undefined);
  }

  async transaction<T>(body: () => Transaction<T>): Promise<T> {
    return this.whenFree(() => this.drive(body()), true);
  }

  async adopt(next: this): Promise<void> {
    const old = this.dataSource;
    this.prepared.clear();
    this.dataSource = next.dataSource;
    this.handle = next.handle;
    await old?.destroy();
  }

  async close(): Promise<void> {
    this.prepared.clear();
    if (this.dataSource?.isInitialized === true) await this.dataSource.destroy();
  }

  /**
   * Runs `task` while the application has no open transaction. The check and the task are one synchronous
   * step, so no other code of this process runs in between.
   *
   * @param gated - Whether to wait for the application's transaction. Reads of a file need not wait. On the
   * shared handle of an in-memory database they must: they would see uncommitted changes of the application.
   */
  private async whenFree<T>(task: () => T, gated: boolean): Promise<T> {
    const deadline = performance.now() + GATE_TIMEOUT;
    for (;;) {
      let busy: unknown;
      if (!gated || !this.isApplicationWriting()) {
        try {
          return task();
        } catch (error) {
          if (this.dialect.failure(error) !== 'conflict') {
            throw new StorageFailure('rolled back', 'SQLite refused the statement.', false, error);
          }
          busy = error;
        }
      }
      if (performance.now() > deadline) {
        throw new StorageFailure('rolled back', LOCKED, false, busy, ADVICE);
      }
      await setTimeout(1);
    }
  }

  /** @throws StorageFailure if the in-memory database that had the log is gone. */
  private isApplicationWriting(): boolean {
    const handle = handleOf(this.application);
    if (this.dataSource === undefined && handle !== this.handle) {
      throw new StorageFailure('rolled back', FORGOTTEN, false);
    }
    return handle?.inTransaction === true;
  }

  /** Runs a whole transaction in one synchronous call, so that nothing of this process comes in between. */
  private drive<T>(body: Transaction<T>): T {
    try {
      for (const sql of this.dialect.begin) this.run({ sql, values: [] });
      let step = body.next();
      while (step.done !== true) step = body.next(this.run(step.value));
      this.run({ sql: 'COMMIT', values: [] });
      return step.value;
    } catch (error) {
      if (this.handle.inTransaction) this.run({ sql: 'ROLLBACK', values: [] });
      throw error;
    }
  }

  private run({ sql, values }: Statement): StatementResult {
    let statement = this.prepared.get(sql);
    if (statement === undefined) {
      statement = this.handle.prepare(sql);
      // Lists of different lengths make different texts, so there must be a limit.
      if (this.prepared.size > 200) this.prepared.clear();
      this.prepared.set(sql, statement);
    }
    if (statement.reader) return { rows: statement.all(...values) as Row[], affected: 0 };
    return { rows: [], affected: statement.run(...values).changes };
  }
}
