import { type Dialect, type FailureKind, standardDialect } from './dialect.js';
import { errorCodeOf } from './driver-connection.js';

/** SQLite with better-sqlite3. It has one writer at a time, so it needs no row locks or isolation levels. */
export function sqliteDialect(tablePrefix = ''): Dialect {
  const standard = standardDialect((name) => `"${name}"`, tablePrefix);
  const { insert, prefixed, table } = standard;
  return {
    ...standard,
    name: 'sqlite',
    types: {
      position: 'integer',
      bytes: 'blob',
      digest: 'blob',
      sealed: 'blob',
      text: 'text',
      long: 'text',
      flag: 'integer',
    },
    isThereAlready: (error) =>
      errorCodeOf(error) === 'SQLITE_ERROR' && /duplicate column name/.test(String(error)),
    isDenied: () => false,
    hasRoles: false,
    migrationLock: { take: ['BEGIN IMMEDIATE'], release: 'COMMIT', undo: 'ROLLBACK' },
    now: `CAST(unixepoch('subsec') * 1000 AS INTEGER)`,
    server: 'NULL',
    isReadOnly: '(SELECT query_only FROM pragma_query_only)',
    ordered: (index) => ` INDEXED BY "${prefixed(index)}"`,
    forUpdate: '',
    begin: ['BEGIN IMMEDIATE'],
    text: (expression) => `CAST(${expression} AS TEXT)`,
    // hex(NULL) is an empty text in SQLite. NULL must stay NULL, because it means "no exception" in an event.
    hex: (column) => `CASE WHEN ${column} IS NOT NULL THEN lower(hex(${column})) END`,
    list: (text) => `group_concat(${text} || ',', '')`,
    insertMissing: (...given) => `${insert(...given)} ON CONFLICT DO NOTHING`,
    updateInOrder: (name, _key, set, where) =>
      // There is one writer at a time, so there are no row locks to order.
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
    failure: (error): FailureKind =>
      /^SQLITE_(BUSY|LOCKED)/.test(errorCodeOf(error) ?? '') ? 'conflict' : 'permanent',
  };
}
