import type { Dialect } from './dialect.js';
import type { Statement, StatementResult, Transaction } from './statement.js';

/** Which connection to use: one of the pool, or the feed's own, which runs one statement at a time. */
export type Via = 'pool' | 'feed';

/**
 * The connections of the log, separate from the application's: one for the feed, outside every pool, so
 * that no caller delays a poll, and a pool of two for everything else.
 */
export interface LogDatabase {
  readonly dialect: Dialect;
  /**
   * Runs one statement with autocommit, on the primary.
   *
   * @param via - `feed` for the feed's own load, which must not wait for other callers.
   */
  read(statement: Statement, via?: Via): Promise<StatementResult>;
  /**
   * Runs one statement with autocommit, on the feed's own connection. `onSend` is called just before the
   * statement is sent, when there is a connection: a proof is dated to that moment (F4). A connection that
   * has not answered after `timeout` ms is destroyed and never reused (F5).
   */
  poll(statement: Statement, timeout: number, onSend: () => void): Promise<StatementResult>;
  /**
   * Runs a transaction and commits it.
   *
   * @param via - `feed` for what the feed does between two polls, never during one.
   * @throws StorageFailure - `outcome: 'rolled back'`, or `'unknown'` if the answer to COMMIT was lost.
   */
  transaction<T>(body: () => Transaction<T>, via?: Via): Promise<T>;
  /**
   * Runs one statement that is a whole transaction. Absent if `dialect.oneStatement` is absent.
   *
   * @throws StorageFailure as {@link transaction} does. It can always be tried again, with several
   * statements.
   */
  transactionOf?(statement: Statement): Promise<StatementResult>;
  /**
   * Takes over the connections of `next`, and closes its own. It is called when the application's
   * DataSource got another password or address for the same log. Statements on the old connections may
   * fail.
   */
  adopt(next: this): Promise<void>;
  close(): Promise<void>;
}

/** A transaction failed. `outcome` says whether it may have been committed all the same. */
export class StorageFailure extends Error {
  constructor(
    /** `unknown`: COMMIT was sent, and no answer was received. */
    readonly outcome: 'rolled back' | 'unknown',
    message: string,
    /** Whether the same transaction can be tried again at once. */
    readonly retryable: boolean,
    cause?: unknown,
    /** How the caller can fix it, as a sentence for its error message. */
    readonly advice?: string,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StorageFailure';
  }
}

/** Whether the transaction that threw this error can be tried again at once. */
export function isRetryable(error: unknown): boolean {
  return error instanceof StorageFailure && error.retryable;
}
