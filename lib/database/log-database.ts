import type { Dialect } from './dialect.js';
import type { Statement, StatementResult, Transaction } from './statement.js';

/** By which connection: one of the pool, or the feed's own, on which there is one thing at a time. */
export type Via = 'pool' | 'feed';

/**
 * The connections of the log, apart from the application's: one for the feed, outside of every pool, so
 * that no caller delays a proof, and a pool of two for everything else.
 */
export interface LogDatabase {
  readonly dialect: Dialect;
  /**
   * One autocommit statement on the primary.
   *
   * @param via - `feed` for the feed's own load, which does not wait behind callers.
   */
  read(statement: Statement, via?: Via): Promise<StatementResult>;
  /**
   * One autocommit statement on the feed's own connection. `onSend` runs once there is a connection, just
   * before the statement is sent. A connection that has not answered after
   * `timeout` ms is destroyed, never reused (F5).
   */
  poll(statement: Statement, timeout: number, onSend: () => void): Promise<StatementResult>;
  /**
   * Drives a transaction to its COMMIT.
   *
   * @param via - `feed` for what the feed does between two polls, never beside one.
   * @throws StorageFailure - `outcome: 'rolled back'` or, when the answer to COMMIT was lost,
   * `'unknown'`.
   */
  transaction<T>(body: () => Transaction<T>, via?: Via): Promise<T>;
  /**
   * Runs one statement that is a transaction of its own; absent where `dialect.oneStatement` is.
   *
   * @throws StorageFailure as {@link transaction}; it may always be tried again, as several statements.
   */
  transactionOf?(statement: Statement): Promise<StatementResult>;
  /**
   * Goes on with the connections of `next`, which no one else uses, and closes its own: the application's
   * DataSource got another password or another address, and the log is the same. What is under way on
   * the old connections may fail.
   */
  adopt(next: this): Promise<void>;
  close(): Promise<void>;
}

/** A transaction that did not succeed, and what is known of it. */
export class StorageFailure extends Error {
  constructor(
    /** `unknown`: COMMIT was sent and its answer never came. */
    readonly outcome: 'rolled back' | 'unknown',
    message: string,
    /** Whether the same transaction may be tried again at once. */
    readonly retryable: boolean,
    cause?: unknown,
    /** What the caller can do about it, as a sentence for its error message. */
    readonly advice?: string,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StorageFailure';
  }
}

/** Whether the transaction that threw this may be tried again at once. */
export function isRetryable(error: unknown): boolean {
  return error instanceof StorageFailure && error.retryable;
}
