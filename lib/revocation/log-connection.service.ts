import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { AuthClock } from '../context/auth-clock.js';
import { withinTime } from '../context/within-time.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { SUPPORTED_FORMAT } from './feed/log-cursor.js';
import { isDataSource, locateDataSource } from './store/data-source.locator.js';
import { deriveDataSourceOptions } from './store/derive-data-source-options.js';
import type { LogDatabase } from './store/log-database.js';
import { headOf } from './store/log-rows.js';
import { LogStatements } from './store/log.statements.js';
import { LogTransactions } from './store/log.transactions.js';
import { openLogDatabase } from './store/open-log-database.js';

/** Opening may run migrations, and wait for those of another process (ms). */
const OPENING_LIMIT = 60_000;

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
   * How the log connects.
   *
   * @throws AuthWiringError for a database that the log cannot live on.
   */
  get dataSourceOptions(): DataSourceOptions {
    if (this.source === undefined) throw new Error('AuthModule was not initialised.');
    const { source } = this;
    return deriveDataSourceOptions(
      isDataSource(source) ? source.options : source,
      this.options.schema,
    );
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
    const database = await withinTime(
      openLogDatabase({ source: this.source, schema, migrations }),
      // A server that accepts a connection and then falls silent must not keep the log closed for ever.
      OPENING_LIMIT,
      `The database was silent for ${OPENING_LIMIT / 1000} seconds.`,
      (late) => void late.close().catch(() => undefined),
    );
    try {
      const statements = new LogStatements(database.dialect);
      const { rows } = await database.read(statements.position());
      const { format } = headOf(rows[0], this.clock);
      refuseNewerFormat(format);
      return {
        database,
        statements,
        transactions: new LogTransactions(statements, this.clock),
        id: rows[0]?.['log_id'] ?? '',
      };
    } catch (error) {
      await database.close();
      throw error;
    }
  }
}

/** H5: an older release would read a newer log wrongly, or not at all. */
function refuseNewerFormat(format: number): void {
  if (format <= SUPPORTED_FORMAT) return;
  throw new AuthWiringError(
    `AuthModule: the revocation log has format ${format}, which a newer release of nestjs-logout ` +
      `writes; this one understands format ${SUPPORTED_FORMAT}.`,
    'Update nestjs-logout in this application.',
  );
}
