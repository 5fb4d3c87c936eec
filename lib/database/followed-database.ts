import type { Dialect } from './dialect.js';
import type { LogDatabase, Via } from './log-database.js';
import type { Statement, StatementResult, Transaction } from './statement.js';

/**
 * The log's database for those who hold it, while the connections behind it may be exchanged: the
 * application's DataSource got another password or another address, and the log is the same.
 */
export class FollowedDatabase implements LogDatabase {
  constructor(private current: LogDatabase) {}

  get dialect(): Dialect {
    return this.current.dialect;
  }

  /** From here on everything goes to `next`; what is under way on the old connections may end there. */
  async exchange(next: LogDatabase): Promise<void> {
    const old = this.current;
    this.current = next;
    await old.close();
  }

  read(statement: Statement, via?: Via): Promise<StatementResult> {
    return this.current.read(statement, via);
  }

  poll(statement: Statement, timeout: number, onSend: () => void): Promise<StatementResult> {
    return this.current.poll(statement, timeout, onSend);
  }

  transaction<T>(body: () => Transaction<T>, via?: Via): Promise<T> {
    return this.current.transaction(body, via);
  }

  close(): Promise<void> {
    return this.current.close();
  }
}
