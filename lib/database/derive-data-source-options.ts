import { resolve } from 'node:path';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { authTables } from './auth-migrations.js';
import { SUPPORTED_TYPES, type TableNames } from './dialect-of.js';

/** The connections of the pool: one can write while another reads. The feed has its own, outside the pool. */
export const POOL_SIZE = 2;

/** How long to wait for a new connection, or for a free one of the pool (ms). */
export const CONNECT_LIMIT = 3_000;

const CREDENTIALS = ['url', 'host', 'port', 'username', 'password', 'database', 'socketPath'];

/** The fields that are copied from the application's options. No other option of it applies to the log. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  postgres: [...CREDENTIALS, 'schema', 'ssl', 'driver', 'extra'],
  mysql: [...CREDENTIALS, 'ssl', 'driver', 'connectorPackage', 'charset', 'timezone', 'extra'],
  'better-sqlite3': ['database', 'driver', 'nativeBinding', 'key', 'prepareDatabase'],
};

/** Settings in `extra` that are not copied, because they would silently override those of our own pool. */
const POOL_SETTINGS = [
  'max',
  'min',
  'poolSize',
  'connectionLimit',
  'queueLimit',
  'maxIdle',
  'idleTimeout',
  'idleTimeoutMillis',
  'connectionTimeoutMillis',
  'connectTimeout',
  'statement_timeout',
  'query_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'maxUses',
  'options',
];

type Loose = Readonly<Record<string, unknown>>;

/**
 * Makes the options of our own small DataSource from those of the application. Only the connection fields
 * of an allow-list are copied. It always connects to the primary, and has no naming strategy, logging or
 * cache.
 *
 * @throws AuthWiringError for a driver that is not supported, and for a schema on a database without schemas.
 */
export function deriveDataSourceOptions(
  application: DataSourceOptions,
  names: TableNames,
  poolSize = POOL_SIZE,
): DataSourceOptions {
  const given = application as unknown as Loose;
  const type = supported(given);
  const { schema, tablePrefix = '' } = names;
  if (schema !== undefined && type !== 'postgres') throw schemaIsForPostgres(schema, type);
  const family = type === 'mariadb' ? 'mysql' : type;
  const { replication } = given as { replication?: { master?: Loose } };
  const isReplicated = replication?.master !== undefined && type !== 'better-sqlite3';
  const source: Record<string, unknown> = { ...given };
  if (isReplicated) {
    // If `master` has a url, credentials at the top level would win, and another database would be opened.
    for (const field of CREDENTIALS) delete source[field];
    Object.assign(source, replication.master);
  }
  const connection: { extra?: object; [field: string]: unknown } = {};
  for (const field of ALLOWED[family] ?? []) {
    if (source[field] !== undefined) connection[field] = source[field];
  }
  const extra = Object.entries(connection.extra ?? {});
  const kept = extra.filter(([setting]) => !POOL_SETTINGS.includes(setting));
  if (connection.extra) connection.extra = Object.fromEntries(kept);
  if (type === 'postgres') {
    // Idle connections must not keep a process alive that is done, such as a script.
    connection.extra = { ...connection.extra, allowExitOnIdle: true };
    if (schema !== undefined) connection['schema'] = schema;
    connection['connectTimeoutMS'] = CONNECT_LIMIT;
  }
  if (family === 'mysql') connection['connectTimeout'] = CONNECT_LIMIT;
  if (type === 'better-sqlite3' && typeof connection['database'] === 'string') {
    // An absolute path, so that the file stays the same if the process changes its directory.
    const file = connection['database'];
    if (file !== ':memory:' && file !== '') connection['database'] = resolve(file);
  }
  return {
    ...connection,
    type,
    ...(type === 'better-sqlite3' ? {} : { poolSize }),
    name: 'nestjs-logout',
    entities: [],
    subscribers: [],
    migrations: [...authTables(names).migrations],
    migrationsTableName: `${tablePrefix}auth_migration`,
    migrationsRun: false,
    synchronize: false,
    dropSchema: false,
    logging: false,
    entityPrefix: '',
  } as unknown as DataSourceOptions;
}

/**
 * The error for `schema` without PostgreSQL. Ignoring it would create the tables where no one expects them.
 */
function schemaIsForPostgres(schema: string, type: string): AuthWiringError {
  return new AuthWiringError(
    `AuthModule: schema "${schema}" was given, but a database of type "${type}" has no schemas.`,
    'Omit schema, which is for PostgreSQL only.',
    'For another database on the same server: AuthModule.forRoot({ dataSource: { type, database, … } }).',
  );
}

function supported(given: Loose): (typeof SUPPORTED_TYPES)[number] {
  const type = SUPPORTED_TYPES.find((name) => name === given['type']);
  if (type === undefined) {
    const why: Readonly<Record<string, string>> = {
      sqlite: 'use the driver better-sqlite3: its writes fit into one tick',
      sqljs: 'two DataSources on one sql.js file overwrite each other',
    };
    throw new AuthWiringError(
      `AuthModule: the revocation log cannot use a DataSource of type "${String(given['type'])}"` +
        ` (${why[String(given['type'])] ?? 'it is not supported'}).`,
      `Give a DataSource of one of these types: ${SUPPORTED_TYPES.join(', ')}.`,
    );
  }
  if (type === 'better-sqlite3' && given['readonly'] === true) {
    throw new AuthWiringError(
      'AuthModule: the DataSource is opened readonly, but a logout must be written.',
      'Open it writable, or pass another one in the option dataSource.',
    );
  }
  return type;
}

/**
 * The DataSource class of the application's copy of TypeORM, so that the log uses the same drivers and
 * version even if two copies are installed. The application may have a subclass; the result is TypeORM's
 * own class.
 */
export function dataSourceClassOf(
  application: DataSource,
): new (options: DataSourceOptions) => DataSource {
  let constructor = application.constructor as new (options: DataSourceOptions) => DataSource;
  for (;;) {
    const parent = Object.getPrototypeOf(constructor) as typeof constructor | null;
    if (parent === null || parent === Function.prototype || parent.name === '') return constructor;
    constructor = parent;
  }
}
