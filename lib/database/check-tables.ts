import type { DataSource } from 'typeorm';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import type { Index } from './dialect.js';
import { isAuthEntity } from './entities/auth-entities.js';
import { AUTH_TABLES, type AuthTable, integerOf } from './entities/table.js';
import type { LogDatabase } from './log-database.js';
import { allColumns, AUTH_INDEXES, firstColumns } from './table-definitions.js';

/** The solutions if a name of our tables is already used. */
const OTHER_NAMES = [
  "Give our tables other names: AuthModule.forRoot({ tablePrefix: 'shop_', … }).",
  "On PostgreSQL a schema of their own does the same: AuthModule.forRoot({ schema: 'auth', … }).",
];

/**
 * Checks that no table of another program has one of our names. Such a table lacks our columns. Call it
 * before the migrations, which would otherwise change that table.
 *
 * @throws AuthWiringError with the name of the table and the missing columns.
 */
export async function refuseForeignTables(database: LogDatabase): Promise<void> {
  for (const [table, present] of await presentColumns(database)) {
    const missing = firstColumns(table).filter((column) => !present.has(column));
    if (present.size === 0 || missing.length === 0) continue;
    throw new AuthWiringError(
      `AuthModule: the table "${database.dialect.prefixed(table)}" is not one of the revocation log: it lacks the columns ` +
        `${missing.join(', ')}. It belongs to another program, or its columns were dropped. Nothing was changed.`,
      ...OTHER_NAMES,
    );
  }
}

/** What the migrations of this release create and the database lacks. Names are without the prefix. */
export interface MissingParts {
  readonly tables: readonly AuthTable[];
  /** The missing columns of existing tables, each as `table.column`. */
  readonly columns: readonly string[];
  /** The missing indexes of existing tables. */
  readonly indexes: readonly Index[];
}

/** Finds what is missing, for the check at boot and for the command. */
export async function findMissing(database: LogDatabase): Promise<MissingParts> {
  const { dialect } = database;
  const { rows } = await database.read(dialect.existing);
  const present = new Set(rows.map(({ name }) => name));
  const isThere = (name: string): boolean => present.has(dialect.prefixed(name));
  const columns = [...(await presentColumns(database))].filter(([table]) => isThere(table));
  return {
    tables: AUTH_TABLES.filter((table) => !isThere(table)),
    columns: columns.flatMap(([table, found]) =>
      allColumns(table)
        .filter((column) => !found.has(column))
        .map((column) => `${table}.${column}`),
    ),
    indexes: AUTH_INDEXES.filter(({ name, table }) => isThere(table) && !isThere(name)),
  };
}

/**
 * Checks that the tables are complete. Indexes are checked too, because without one a poll or a login would
 * scan a whole table.
 *
 * @param unused - Tables of options that are off. They may be missing.
 * @throws AuthWiringError that lists every missing table, column and index.
 */
export async function checkTables(
  database: LogDatabase,
  unused: readonly AuthTable[] = [],
): Promise<void> {
  const { dialect } = database;
  const { tables: absent, columns, indexes } = await findMissing(database);
  const tables = absent.filter((table) => !unused.includes(table));
  const missing = [...tables, ...columns, ...indexes.map(({ name }) => name)];
  if (missing.length === 0) return;
  const folder = 'node_modules/nestjs-logout/docs/sql';
  throw new AuthWiringError(
    `AuthModule: the database lacks these tables, columns or indexes of the revocation log: ${missing.map(dialect.prefixed).join(', ')}.`,
    `Let the module create them: AuthModule.forRoot({ migrations: 'run', … }).`,
    'Add ...authMigrations to the migrations of your own DataSource and run them ' +
      '(with tablePrefix or schema: ...authTables({ tablePrefix, schema }).migrations).',
    tables.some((table) => table !== 'auth_api_token')
      ? `Run ${folder}/${dialect.name}.up.sql.`
      : `If the tables were made by release 0.1, run ${folder}/${dialect.name}.upgrade-0.2.sql.`,
  );
}

/**
 * Checks that no entity of the application has the name of one of our tables: `synchronize` would drop our
 * columns. The entities of `authEntities` are allowed.
 *
 * @throws AuthWiringError for such an entity.
 */
export function refuseOurNames(application: DataSource, tablePrefix = ''): void {
  const names: ReadonlySet<string> = new Set(AUTH_TABLES.map((table) => tablePrefix + table));
  const clash = application.entityMetadatas.find(
    ({ tableName, target }) => names.has(tableName) && !isAuthEntity(target),
  );
  if (clash === undefined) return;
  throw new AuthWiringError(
    `AuthModule: the entity ${clash.name} of the application has the table name "${clash.tableName}", ` +
      'which belongs to the revocation log; synchronize would drop the columns of the library.',
    'Rename the table of that entity.',
    ...OTHER_NAMES,
  );
}

/** The columns of the tables with our names. A table that does not exist has none. */
async function presentColumns(
  database: LogDatabase,
): Promise<ReadonlyMap<AuthTable, ReadonlySet<unknown>>> {
  const { dialect } = database;
  const { rows } = await database.read(dialect.columnsOf(AUTH_TABLES.map(dialect.prefixed)));
  const columnsOf = (name: string): unknown[] =>
    rows.filter((row) => row['table_name'] === name).map((row) => row['column_name']);
  return new Map(AUTH_TABLES.map((table) => [table, new Set(columnsOf(dialect.prefixed(table)))]));
}

/**
 * Checks that a new, empty log is not next to an older one that is in use. After a change of `tablePrefix`,
 * the new log would accept every token that was logged out in the old one.
 *
 * @throws AuthWiringError with the name of the other log's table.
 */
export async function refuseSecondLog(database: LogDatabase): Promise<void> {
  const { dialect } = database;
  const own = dialect.prefixed('auth_log');
  const { rows } = await database.read(dialect.existing);
  const names = rows.map(({ name }) => name ?? '');
  const ours = names.includes(own) ? await findLog(database, own) : undefined;
  if (ours !== undefined && ours.position > 0) return;
  for (const other of names.filter((name) => name !== own && /^\w*auth_log$/.test(name))) {
    if (!names.includes(other.replace(/log$/, 'head'))) continue;
    const found = await findLog(database, other);
    if (found === undefined || found.position === 0) continue;
    if (ours !== undefined && ours.createdAt <= found.createdAt) continue;
    throw new AuthWiringError(
      `AuthModule: the log with the table "${own}" is new and empty, and there is another one beside it, ` +
        `with the table "${other}". Tokens that were logged out in that one would be accepted again.`,
      `If it is this application's log, set tablePrefix as it was: ${wasPrefix(other)}.`,
      'If it is the log of another application: AuthModule.forRoot({ newLog: true, … }).',
    );
  }
}

/** How the option `tablePrefix` must be set to use this log, for the message. */
function wasPrefix(table: string): string {
  const prefix = table.slice(0, -'auth_log'.length);
  return prefix === '' ? 'leave it out' : `tablePrefix: '${prefix}'`;
}

/** @returns `undefined` for tables that only have such names, and for tables that the role cannot read. */
async function findLog(
  database: LogDatabase,
  table: string,
): Promise<{ readonly createdAt: number; readonly position: number } | undefined> {
  const { dialect } = database;
  const { text, qualified } = dialect;
  const sql =
    `SELECT ${text('l.created_at')} AS created_at, ${text('h.position')} AS head_position ` +
    `FROM ${qualified(table)} l JOIN ${qualified(table.replace(/log$/, 'head'))} h ON h.id = l.id`;
  try {
    const { rows } = await database.read({ sql, values: [] });
    const [row] = rows;
    return row === undefined
      ? undefined
      : { createdAt: integerOf(row['created_at']), position: integerOf(row['head_position']) };
  } catch (error) {
    const { cause = error } = error instanceof Error ? error : {};
    if (dialect.failure(cause) === 'connection') throw error;
    return undefined;
  }
}
