import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { isDeepStrictEqual } from 'node:util';
import { locateDataSource } from '../../database/data-source.locator.js';
import { deriveDataSourceOptions } from '../../database/derive-data-source-options.js';
import { isRefusal } from '../../database/driver-connection.js';
import type { LogDatabase } from '../../database/log-database.js';
import { LogStatements } from '../../database/log.statements.js';
import { openLogDatabase } from '../../database/open-log-database.js';
import { AuthUnavailableException } from '../../errors/auth.exception.js';
import { AuthMeter } from '../../events/auth-meter.service.js';
import { isDataSource, optionsOf } from '../../options/data-source-option.js';
import { ResolvedAuthOptions } from '../../options/resolved-auth-options.js';
import { SharedCall, withinTime } from '../../platform/async-calls.js';
import { AuthClock } from '../../platform/auth-clock.js';
import { messageOf } from '../../platform/log-text.js';
import { type OpenLog, openLogOn } from './open-log.js';

/**
 * The limit for opening the log (ms). It is long, because opening may run migrations or wait for
 * those of another process.
 */
const OPENING_LIMIT = 60_000;

/** The open log, and what it was opened with. */
interface Opened {
  readonly log: OpenLog;
  /**
   * The driver pool of the application's DataSource at that time, by which a later `initialize()`
   * is noticed.
   */
  pool: unknown;
  options: DataSourceOptions;
}

/**
 * Finds the database of the log at boot, and opens the log when it is first needed. The log has
 * connections of its own, so that an exhausted pool of the application cannot delay it.
 *
 * It follows the application's DataSource: it reads the options again after the DataSource was
 * initialised again, or after the database refused the credentials. At a new address it follows
 * only the same log. While another log answers, guards answer 503.
 */
@Injectable()
export class LogConnection implements OnModuleInit {
  private readonly logger = new Logger('AuthModule');
  /** The application's DataSource, if the log was derived from one. */
  application: DataSource | undefined;
  private source: DataSource | DataSourceOptions | undefined;
  private readonly connecting = new SharedCall(() => this.connect());
  /** The open log; `undefined` once the DataSource connects elsewhere. */
  private current: Promise<OpenLog> | undefined;
  private opened: Opened | undefined;
  private isRefused = false;
  /**
   * Why the database last refused the connection of the log; `undefined` once the log was opened. A
   * later attempt that got no answer does not clear it.
   */
  refusal: unknown;
  private closed = false;

  constructor(
    private readonly options: ResolvedAuthOptions,
    private readonly clock: AuthClock,
    private readonly moduleRef: ModuleRef,
    private readonly modules: ModulesContainer,
    private readonly meter: AuthMeter,
  ) {}

  /** @throws AuthWiringError when no DataSource, or more than one, is found. */
  onModuleInit(): void {
    const { dataSource } = this.options;
    this.source =
      dataSource === undefined || typeof dataSource === 'string'
        ? locateDataSource(this.moduleRef, this.modules, dataSource)
        : dataSource;
    this.application = isDataSource(this.source) ? this.source : undefined;
  }

  /**
   * The options of the connections of the log, derived from the DataSource.
   *
   * @throws AuthWiringError for a database that the log does not support.
   */
  get dataSourceOptions(): DataSourceOptions {
    const { source } = this;
    if (source === undefined) throw new Error('AuthModule was not initialised.');
    return deriveDataSourceOptions(optionsOf(source), this.options);
  }

  /**
   * Returns the open log, or opens it. Concurrent callers share one attempt. After a failure the
   * next call tries again.
   *
   * @throws AuthWiringError for what a retry cannot fix.
   * @throws Error while the database cannot be reached.
   */
  open(): Promise<OpenLog> {
    if (this.closed) return Promise.reject(new Error('The application has shut down.'));
    if (this.hasMoved()) this.current = undefined;
    return this.current ?? this.connecting.join();
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.connecting.idle();
    // `current` would be wrong here: while a new address does not answer, the old connections are
    // still open.
    const { opened } = this;
    if (opened === undefined) return;
    try {
      const { database, instance } = opened.log;
      if (instance.isRegistered) await database.transaction(() => instance.leave());
    } catch (error) {
      this.logger.warn(
        `The row of this instance in auth_instance could not be deleted, so other instances count it as running for a few minutes: ${messageOf(error)}`,
      );
    } finally {
      await opened.log.database.close();
    }
  }

  /** Whether the application's DataSource now has other connection options than the open log. */
  private hasMoved(): boolean {
    const { opened, application, isRefused } = this;
    if (opened === undefined) return false;
    // setOptions() changes an object in place. Only initialize() puts the change into effect, and
    // makes a new pool.
    const pool = poolOf(application);
    const isInitialisedAgain = pool !== undefined && pool !== opened.pool;
    if (!isInitialisedAgain && !isRefused) return false;
    opened.pool = pool;
    this.isRefused = false;
    return !isDeepStrictEqual(this.dataSourceOptions, opened.options);
  }

  private async connect(): Promise<OpenLog> {
    const made = { pool: poolOf(this.application), options: this.dataSourceOptions };
    const { opened } = this;
    const database = await this.openDatabase().catch((error: unknown) => {
      if (isRefusal(error)) this.refusal = error;
      throw error;
    });
    this.refusal = undefined;
    try {
      if (opened !== undefined) {
        await this.follow(opened, database, made);
        this.current = Promise.resolve(opened.log);
        return opened.log;
      }
      const log = await openLogOn(database, this.clock, {
        maxTokenLife: this.options.maxTokenLife,
        onJump: () => this.meter.histories.jump++,
      });
      this.opened = { log, ...made };
      this.current = Promise.resolve(log);
      return log;
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /** Continues with the same log at another address or with another password. */
  private async follow(
    opened: Opened,
    database: LogDatabase,
    made: Pick<Opened, 'pool' | 'options'>,
  ): Promise<void> {
    // It uses the table names of the new connection: on MySQL the old names include the old
    // database.
    const { rows } = await database.read(new LogStatements(database.dialect).logId());
    opened.log.history.identify(rows[0]?.['log_id'] ?? null);
    if (database.dialect.table('auth_log') !== opened.log.database.dialect.table('auth_log')) {
      throw new Error(
        'The tables of the revocation log have another place now. Restart the application.',
      );
    }
    Object.assign(opened, made);
    void opened.log.database.adopt(database).catch(() => undefined);
    this.logger.log('The revocation log reconnects, because the DataSource has other options now.');
  }

  private openDatabase(): Promise<LogDatabase> {
    const { schema, tablePrefix, newLog, migrations, maxStaleness, apiTokens } = this.options;
    const location = {
      source: this.source as DataSource | DataSourceOptions,
      schema,
      tablePrefix,
      newLog,
      // A log that is already followed has its tables. A database without them is another one, so
      // no migration may run there.
      migrations: this.opened === undefined ? migrations : ('check' as const),
      unused: apiTokens === undefined ? (['auth_api_token'] as const) : [],
      clock: this.clock,
      // If two polls were missed, the process was frozen, and its connections may be gone.
      feedTrustedFor: maxStaleness / 2,
      onRefused: () => (this.isRefused = true),
    };
    return withinTime(
      openLogDatabase(location),
      // Without a limit, a server that accepts the connection but never answers would block the log
      // for ever.
      OPENING_LIMIT,
      `The database was silent for ${OPENING_LIMIT / 1000} seconds.`,
      (late) => void late.close().catch(() => undefined),
    );
  }
}

/** The driver pool of a DataSource. It is a new object each time the DataSource is initialised. */
function poolOf(dataSource: DataSource | undefined): unknown {
  const driver = dataSource?.driver as unknown as Readonly<Record<string, unknown>> | undefined;
  if (dataSource?.isInitialized !== true || driver === undefined) return undefined;
  // PostgreSQL, MySQL, MySQL with replication, SQLite.
  return (
    driver['master'] ?? driver['pool'] ?? driver['poolCluster'] ?? driver['databaseConnection']
  );
}

/**
 * Returns the open log, for a call of the application.
 *
 * @throws AuthUnavailableException `storage_unavailable` when it cannot be reached.
 */
export async function reachLog(connection: Pick<LogConnection, 'open'>): Promise<OpenLog> {
  try {
    return await connection.open();
  } catch (error) {
    throw storageUnavailable('The revocation log cannot be reached.', error);
  }
}

/** A handler for the `catch` of a promise. It throws {@link storageUnavailable}. */
export function unavailable(message: string): (cause: unknown) => never {
  return (cause) => {
    throw storageUnavailable(message, cause);
  };
}

/** The 503 `storage_unavailable` for a failed read or write. A cause that is a 503 already is kept. */
export function storageUnavailable(message: string, cause?: unknown): AuthUnavailableException {
  return cause instanceof AuthUnavailableException
    ? cause
    : new AuthUnavailableException('storage_unavailable', message, { cause });
}
