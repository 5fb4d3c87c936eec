import { DataSource, type DataSourceOptions, MigrationExecutor } from 'typeorm';
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { isDataSource, optionsOf } from '../options/data-source-option.js';
import { retried } from '../platform/async-calls.js';
import { AuthClock } from '../platform/auth-clock.js';
import { authTables } from './auth-migrations.js';
import {
  checkTables,
  refuseForeignTables,
  refuseOurNames,
  refuseSecondLog,
} from './check-tables.js';
import { dataSourceClassOf, deriveDataSourceOptions } from './derive-data-source-options.js';
import { dialectOf } from './dialect-of.js';
import type { Dialect } from './dialect.js';
import { errorCodeOf, isRefusal, isServerError, surviveDyingClients } from './driver-connection.js';
import type { AuthTable } from './entities/table.js';
import { FeedConnection } from './feed-connection.js';
import type { LogDatabase } from './log-database.js';
import { ServerLogDatabase } from './server-log-database.js';
import { handleOf, type SqliteHandle, SqliteLogDatabase } from './sqlite-log-database.js';

/** The database of the log. */
export interface LogPlace {
  /** The application's DataSource, or connection options for the log. */
  readonly source: DataSource | DataSourceOptions;
  readonly schema: string | undefined;
  /** The prefix of the names of our tables and indexes. */
  readonly tablePrefix?: string | undefined;
}

/** The database of the log, and how to open it. */
export interface LogLocation extends LogPlace {
  /** Whether a new log may be started next to another one. */
  readonly newLog?: boolean | undefined;
  /** `none`: no checks, for commands that inspect a database that may be damaged. */
  readonly migrations: 'check' | 'run' | 'none';
  /** Tables that may be missing, because the option that needs them is off. */
  readonly unused?: readonly AuthTable[];
  readonly clock?: Pick<AuthClock, 'wall' | 'monotonic'>;
  /** After how long a silence (ms) the feed replaces its connection. */
  readonly feedTrustedFor?: number;
  /** Called when the database refuses a login of the log. Its password may have been changed. */
  readonly onRefused?: () => void;
}

/** The default of `feedTrustedFor` (ms), for a process that never polls. */
const FEED_TRUSTED_FOR = 10_000;

/** How long to wait for the migration lock of another process (ms). */
const MIGRATION_PATIENCE = 5_000;

/**
 * Opens the log's own connections, creates the tables with `migrations: 'run'`, and checks that they are
 * complete.
 *
 * @throws AuthWiringError for a problem that a retry cannot fix: missing tables, a read-only server, an
 * entity of the application with one of our names. Any other error means that the database cannot be
 * reached now.
 */
export async function openLogDatabase(location: LogLocation): Promise<LogDatabase> {
  const application = applicationOf(location);
  if (application !== undefined) refuseOurNames(application, location.tablePrefix);
  const given = optionsOf(location.source);
  const options = deriveDataSourceOptions(given, location);
  const feedOptions = deriveDataSourceOptions(given, location, 1);
  if (application !== undefined && isInMemory(options)) {
    const shared = openShared(application, location);
    await prepare(shared, location, () => migrateShared(application, location));
    return shared;
  }

  const dataSource = await connect(application, options);
  const { clock = new AuthClock() } = location;
  const refused = (error: unknown): never => {
    if (isRefusal(error)) location.onRefused?.();
    throw error;
  };
  try {
    const dialect = await namable(dataSource, dialectOf(dataSource, location));
    const database =
      dialect.name === 'sqlite'
        ? new SqliteLogDatabase(dataSource, openedHandle(dataSource), dialect, application)
        : new ServerLogDatabase(
            dataSource,
            dialect,
            new FeedConnection({
              open: () => connect(application, feedOptions).catch(refused),
              dialect,
              clock,
              trustedFor: location.feedTrustedFor ?? FEED_TRUSTED_FOR,
            }),
            clock,
            { mayBeStandby: location.migrations === 'none', onFailure: refused },
          );
    await prepare(database, location, () => migrate(dataSource, dialect));
    return database;
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
}

/** Opens one more DataSource of our own on the same database. */
export function connectTo(location: LogPlace): Promise<DataSource> {
  const options = deriveDataSourceOptions(optionsOf(location.source), location);
  return connect(applicationOf(location), options);
}

function applicationOf({ source }: LogPlace): DataSource | undefined {
  return isDataSource(source) ? source : undefined;
}

/** Connects a DataSource of the application's copy of TypeORM, with the application's drivers. */
async function connect(
  application: DataSource | undefined,
  options: DataSourceOptions,
): Promise<DataSource> {
  const given = { ...options };
  if (application?.options.type === 'better-sqlite3') {
    // Use the application's driver object. A second copy of the SQLite library in one process can damage the
    // file: when one copy closes it, the operating system drops the file locks of the other.
    const { sqlite } = application.driver as unknown as { sqlite?: unknown };
    if (sqlite !== undefined) Object.assign(given, { driver: sqlite });
  }
  if (given.type === 'better-sqlite3') makePrivate(given.database);
  const dataSource = construct(application, given);
  surviveDyingClients(dataSource);
  return dataSource.initialize();
}

/** Creates a missing database file for its owner only. SQLite gives its other files the same permissions. */
function makePrivate(file: string | Buffer): void {
  if (typeof file !== 'string' || file === '' || file === ':memory:' || existsSync(file)) return;
  mkdirSync(dirname(file), { recursive: true });
  closeSync(openSync(file, 'a', 0o600));
}

/** @throws AuthWiringError if the package of the driver is not installed, which no retry can fix. */
function construct(application: DataSource | undefined, options: DataSourceOptions): DataSource {
  const Class = application === undefined ? DataSource : dataSourceClassOf(application);
  try {
    return new Class(options);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'DriverPackageNotInstalledError') throw error;
    throw new AuthWiringError(
      `AuthModule: the driver of the database is not installed: ${error.message}`,
      `Install it: npm install ${{ postgres: 'pg', 'better-sqlite3': 'better-sqlite3' }[options.type as string] ?? 'mysql2'}`,
    );
  }
}

/**
 * Handles servers without an identity, such as Amazon Aurora, which refuses every WAL function. Their log
 * jumps at every load (H3).
 */
async function namable(dataSource: DataSource, dialect: Dialect): Promise<Dialect> {
  const runner = dataSource.createQueryRunner('master');
  try {
    await runner.query(`SELECT ${dialect.server}`);
    return dialect;
  } catch (error) {
    if (!isServerError(error) || !/^(0A000|42501|55000)$/.test(errorCodeOf(error) ?? ''))
      throw error;
    return { ...dialect, server: 'NULL' };
  } finally {
    await runner.release();
  }
}

function isInMemory(options: DataSourceOptions): boolean {
  return (
    options.type === 'better-sqlite3' &&
    (options.database === ':memory:' || options.database === '')
  );
}

/** Opens the log in an in-memory database. It has only one handle, so the log shares the application's. */
function openShared(application: DataSource, location: LogLocation): LogDatabase {
  const handle = handleOf(application);
  if (handle === undefined) {
    throw new Error('The application’s in-memory DataSource is not initialised yet.');
  }
  return new SqliteLogDatabase(undefined, handle, dialectOf(application, location), application);
}

/**
 * Runs all migrations. Each does nothing for objects that exist, so it need not be recorded which have run.
 */
async function migrateShared(application: DataSource, location: LogLocation): Promise<void> {
  const runner = application.createQueryRunner();
  try {
    for (const Migration of authTables(location).migrations) await new Migration().up(runner);
  } finally {
    await runner.release();
  }
}

/**
 * Our own handle. It never waits inside SQLite, which would block the event loop, and a commit is on disk
 * when it returns.
 */
function openedHandle(dataSource: DataSource): SqliteHandle {
  const handle = handleOf(dataSource);
  if (handle === undefined) throw new Error('better-sqlite3 gave no handle.');
  handle.pragma('busy_timeout = 0');
  handle.pragma('synchronous = FULL');
  return handle;
}

/** Creates the tables with `migrations: 'run'`, and checks that they are complete and ours. */
async function prepare(
  database: LogDatabase,
  location: LogLocation,
  migrate: () => Promise<void>,
): Promise<void> {
  if (location.migrations === 'none') return;
  const { text, isReadOnly } = database.dialect;
  const sql = `SELECT ${text(isReadOnly)} AS is_standby`;
  const { rows } = await database.read({ sql, values: [] });
  if (rows[0]?.['is_standby'] === '1') {
    throw new AuthWiringError(
      'AuthModule: the database server is read-only (a replica?), but a logout must be written.',
      'Connect to the primary. With TypeORM replication the log uses replication.master.',
    );
  }
  await refuseForeignTables(database);
  if (location.newLog !== true) await refuseSecondLog(database);
  if (location.migrations === 'run') await migrate();
  await checkTables(database, location.unused);
}

/** Runs the migrations under a lock: of several processes one runs them, the others find nothing to do. */
async function migrate(dataSource: DataSource, dialect: Dialect): Promise<void> {
  const runner = dataSource.createQueryRunner('master');
  const { take, release, undo } = dialect.migrationLock;
  try {
    await retried(
      async () => {
        for (const sql of take) await runner.query(sql);
      },
      MIGRATION_PATIENCE,
      (error) => dialect.failure(error) === 'conflict',
    );
    const executor = new MigrationExecutor(dataSource, runner);
    executor.transaction = 'none';
    try {
      await executor.executePendingMigrations();
    } catch (error) {
      if (undo !== undefined) await runner.query(undo);
      throw error;
    }
    await runner.query(release);
  } finally {
    await runner.release();
  }
}
