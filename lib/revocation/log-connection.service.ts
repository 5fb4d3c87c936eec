import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { AuthClock } from '../context/auth-clock.js';
import { withinTime } from '../context/within-time.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { messageOf } from './message-of.js';
import { type OpenLog, openLogIn } from './open-log.js';
import { storageUnavailable } from './storage-unavailable.js';
import { isDataSource, locateDataSource } from './store/data-source.locator.js';
import { deriveDataSourceOptions } from './store/derive-data-source-options.js';
import { openLogDatabase } from './store/open-log-database.js';

/** Opening may run migrations, and wait for those of another process (ms). */
const OPENING_LIMIT = 60_000;

/** Finds where the log lives at boot, and opens it once, when it is first needed. */
@Injectable()
export class LogConnection implements OnModuleInit {
  private readonly logger = new Logger('AuthModule');
  private source: DataSource | DataSourceOptions | undefined;
  private opening: Promise<OpenLog> | undefined;
  private closed = false;

  constructor(
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
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
    if (opened === undefined) return;
    try {
      const { database, instance } = opened;
      if (instance.isRegistered) await database.transaction(() => instance.leave());
    } catch (error) {
      this.logger.warn(
        `This instance could not be signed off; others take it for a running one for a few minutes: ${messageOf(error)}`,
      );
    } finally {
      await opened.database.close();
    }
  }

  private async connect(): Promise<OpenLog> {
    if (this.source === undefined) throw new Error('AuthModule was not initialised.');
    const { schema, migrations, maxStaleness } = this.options;
    const database = await withinTime(
      openLogDatabase({
        source: this.source,
        schema,
        migrations,
        clock: this.clock,
        // Two polls were missed: the process was frozen, and its connections may be gone.
        feedTrustedFor: maxStaleness / 2,
      }),
      // A server that accepts a connection and then falls silent must not keep the log closed for ever.
      OPENING_LIMIT,
      `The database was silent for ${OPENING_LIMIT / 1000} seconds.`,
      (late) => void late.close().catch(() => undefined),
    );
    try {
      const log = await openLogIn(database, this.clock, this.options.maxTokenLife);
      log.history.onJump = () => this.meter.count('histories', 'jump');
      return log;
    } catch (error) {
      await database.close();
      throw error;
    }
  }
}

/**
 * The open log, for who writes and reads for a caller.
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
