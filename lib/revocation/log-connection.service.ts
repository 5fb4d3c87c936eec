import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import { clearTimeout, setTimeout } from 'node:timers';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { AuthClock } from '../context/auth-clock.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { type OpenLog, openLogIn } from './open-log.js';
import { messageOf } from './message-of.js';
import { isDataSource, locateDataSource } from './store/data-source.locator.js';
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
    const { schema, migrations } = this.options;
    const database = await withinTime(
      openLogDatabase({ source: this.source, schema, migrations }),
      (late) => void late.close().catch(() => undefined),
    );
    try {
      return await openLogIn(database, this.clock, this.options.issuer);
    } catch (error) {
      await database.close();
      throw error;
    }
  }
}

/** A server that accepts a connection and then falls silent must not keep the log closed for ever. */
async function withinTime<T>(opening: Promise<T>, whenLate: (late: T) => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let isLate = false;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      isLate = true;
      reject(new Error(`The database was silent for ${OPENING_LIMIT / 1000} seconds.`));
    }, OPENING_LIMIT);
    timer.unref();
  });
  opening.then(
    (opened) => (isLate ? whenLate(opened) : undefined),
    () => undefined,
  );
  try {
    return await Promise.race([opening, silence]);
  } finally {
    clearTimeout(timer);
  }
}
