import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { AuthClock } from '../context/auth-clock.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { isDataSource, locateDataSource } from './store/data-source.locator.js';
import type { LogDatabase } from './store/log-database.js';
import { LogStatements } from './store/log.statements.js';
import { LogTransactions } from './store/log.transactions.js';
import { openLogDatabase } from './store/open-log-database.js';

/** The log's own connections, with the statements that fit them. */
export interface OpenLog {
  readonly database: LogDatabase;
  readonly statements: LogStatements;
  readonly transactions: LogTransactions;
  /** Which log this is; read once, from a row that is never updated. */
  readonly id: string;
}

/** Finds where the log lives at boot, and opens it once, when it is first needed. */
@Injectable()
export class LogConnection implements OnModuleInit {
  private source: DataSource | DataSourceOptions | undefined;
  private opening: Promise<OpenLog> | undefined;
  private closed = false;

  constructor(
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
    private readonly clock: AuthClock,
    private readonly moduleRef: ModuleRef,
    private readonly modules: ModulesContainer,
  ) {}

  /** @throws AuthWiringError when no DataSource, or more than one, is found. */
  onModuleInit(): void {
    const { dataSource } = this.options;
    this.source =
      dataSource === undefined || typeof dataSource === 'string'
        ? locateDataSource(this.moduleRef, this.modules, dataSource)
        : dataSource;
  }

  /** The application's DataSource, if the log was derived from one. */
  get application(): DataSource | undefined {
    return isDataSource(this.source) ? this.source : undefined;
  }

  /**
   * Opens the log, or gives what is open; after a failure the next call tries again.
   *
   * @throws AuthWiringError for what only a person can mend, any other error while the database
   * cannot be reached.
   */
  open(): Promise<OpenLog> {
    if (this.closed) return Promise.reject(new Error('The application has shut down.'));
    this.opening ??= this.connect().catch((error: unknown) => {
      this.opening = undefined;
      throw error;
    });
    return this.opening;
  }

  async close(): Promise<void> {
    this.closed = true;
    const opened = await this.opening?.catch(() => undefined);
    this.opening = undefined;
    await opened?.database.close();
  }

  private async connect(): Promise<OpenLog> {
    if (this.source === undefined) throw new Error('AuthModule was not initialised.');
    const { schema, migrations } = this.options;
    const database = await openLogDatabase({ source: this.source, schema, migrations });
    try {
      const statements = new LogStatements(database.dialect);
      const { rows } = await database.read(statements.logId());
      const id = rows[0]?.['log_id'];
      if (id === undefined || id === null) throw new Error('The table auth_log has lost its row.');
      return {
        database,
        statements,
        transactions: new LogTransactions(statements, this.clock),
        id,
      };
    } catch (error) {
      await database.close();
      throw error;
    }
  }
}
