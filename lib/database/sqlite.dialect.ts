import type { Dialect, FailureKind } from './dialect.js';
import { errorCodeOf } from './driver-connection.js';
import type { AuthTable } from './entities/table.js';

/** SQLite through better-sqlite3: one writer at a time, so no row locks and no isolation levels. */
export function sqliteDialect(tablePrefix = ''): Dialect {
  const prefixed = (name: string): string => `${tablePrefix}${name}`;
  const table = (name: AuthTable): string => `"${prefixed(name)}"`;
  const insert: Dialect['insert'] = (name, columns, rows) => {
    const row = `(${columns.map(() => '?').join(', ')})`;
    return (
      `INSERT INTO ${table(name)} (${columns.map((column) => column.name).join(', ')}) VALUES ` +
      Array(rows).fill(row).join(', ')
    );
  };
  return {
    name: 'sqlite',
    types: {
      position: 'integer',
      bytes: 'blob',
      digest: 'blob',
      sealed: 'blob',
      text: 'text',
      flag: 'integer',
    },
    tableOptions: '',
    canAddIfMissing: false,
    createIndex: ({ name, unique, table: on, columns }) =>
      `CREATE ${unique === true ? 'UNIQUE ' : ''}INDEX IF NOT EXISTS ${prefixed(name)} ON ${table(on)} (${columns})`,
    // An index is in the schema of its table, and is qualified like one.
    dropIndex: ({ name, table: on }) =>
      `DROP INDEX IF EXISTS ${table(on).replace(prefixed(on), prefixed(name))}`,
    isThereAlready: (error) =>
      errorCodeOf(error) === 'SQLITE_ERROR' && /duplicate column name/.test(String(error)),
    isDenied: () => false,
    hasRoles: false,
    migrationLock: { take: ['BEGIN IMMEDIATE'], release: 'COMMIT', undo: 'ROLLBACK' },
    now: `CAST(unixepoch('subsec') * 1000 AS INTEGER)`,
    server: 'NULL',
    isReadOnly: '(SELECT query_only FROM pragma_query_only)',
    ordered: (index) => ` INDEXED BY "${prefixed(index)}"`,
    behindNull: () => '',
    forUpdate: '',
    begin: ['BEGIN IMMEDIATE'],
    prepareConnection: [],
    prefixed,
    table,
    text: (expression) => `CAST(${expression} AS TEXT)`,
    // hex(NULL) is an empty text here, and NULL must stay NULL: an event without an exception has none.
    hex: (column) => `CASE WHEN ${column} IS NOT NULL THEN lower(hex(${column})) END`,
    placeholder: () => '?',
    insertsColumns: false,
    insert,
    insertMissing: (...given) => `${insert(...given)} ON CONFLICT DO NOTHING`,
    updateInOrder: (name, _key, set, where) =>
      // One writer at a time: there are no row locks to be ordered.
      `UPDATE ${table(name)} SET ${set} WHERE ${where}`,
    existing: {
      sql: `SELECT name FROM sqlite_master WHERE type IN ('table', 'index')`,
      values: [],
    },
    columnsOf: (tables) => ({
      sql:
        `SELECT m.name AS table_name, c.name AS column_name FROM sqlite_master m ` +
        `JOIN pragma_table_info(m.name) c WHERE m.type IN ('table', 'view') ` +
        `AND m.name IN (${tables.map(() => '?').join(', ')})`,
      values: tables,
    }),
    deletePending: (count) =>
      `DELETE FROM ${table('auth_pending')} WHERE event_id IN (${Array(count).fill('?').join(', ')})`,
    failure: (error): FailureKind =>
      /^SQLITE_(BUSY|LOCKED)/.test(errorCodeOf(error) ?? '') ? 'conflict' : 'permanent',
  };
}
