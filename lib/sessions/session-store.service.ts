import { Injectable } from '@nestjs/common';
import type { AuthUnavailableException } from '../errors/auth.exception.js';
import { isRetryable } from '../database/log-database.js';
import type { Row, Statement, Transaction } from '../database/statement.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import { retried } from '../platform/async-calls.js';
import { AuthClock } from '../platform/auth-clock.js';
import { LogConnection, storageUnavailable } from '../revocation/log/log-connection.service.js';
import type { OpenLog } from '../revocation/log/open-log.js';
import { SessionTransactions } from './session.transactions.js';

/** For how long one call is retried before it fails (ms). */
const PATIENCE = 5_000;

/** The rows of sessions and refresh tokens, on the log's own connections. */
@Injectable()
export class SessionStore {
  private readonly opened = new WeakMap<OpenLog, SessionTransactions>();

  constructor(
    private readonly connection: LogConnection,
    private readonly clock: AuthClock,
    private readonly meter: AuthMeter,
  ) {}

  /**
   * One statement on the primary.
   *
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  async read(statement: (of: SessionTransactions) => Statement): Promise<readonly Row[]> {
    try {
      const log = await this.connection.open();
      return (await log.database.read(statement(this.of(log)))).rows;
    } catch (error) {
      throw this.unavailable(error);
    }
  }

  /**
   * One transaction, retried after a conflict or a lost connection. After a lost answer to COMMIT it runs
   * again too, so a body has to recognise its own work.
   *
   * @throws AuthUnavailableException `storage_unavailable` when it failed, or when the outcome is not known.
   */
  async write<T>(body: (of: SessionTransactions) => Transaction<T>): Promise<T> {
    const once = async (): Promise<T> => {
      const log = await this.connection.open();
      return log.database.transaction(() => body(this.of(log)));
    };
    try {
      return await retried(once, PATIENCE, isRetryable);
    } catch (error) {
      throw this.unavailable(error);
    }
  }

  /** Runs one statement once, and ignores a failure: the result does not matter. */
  async attempt(statement: (of: SessionTransactions) => Statement): Promise<void> {
    try {
      const log = await this.connection.open();
      const body = function* (only: Statement): Transaction<void> {
        yield only;
      };
      await log.database.transaction(() => body(statement(this.of(log))));
    } catch {
      // The next caller that needs the database gets the error.
    }
  }

  private of(log: OpenLog): SessionTransactions {
    let transactions = this.opened.get(log);
    if (transactions === undefined) {
      transactions = new SessionTransactions(log.database.dialect, this.clock);
      this.opened.set(log, transactions);
    }
    return transactions;
  }

  private unavailable(cause: unknown): AuthUnavailableException {
    const refusal = storageUnavailable(
      'The session could not be stored or read. Try again.',
      cause,
    );
    this.meter.refuse(refusal);
    return refusal;
  }
}
