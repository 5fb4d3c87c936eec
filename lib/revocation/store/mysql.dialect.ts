import type { AuthTable, Dialect, FailureKind } from './dialect.js';
import { errorCodeOf, isServerError } from './driver-error.js';
import type { SqlValue, Statement } from './statement.js';

/** MariaDB's "record has changed since last read", lock wait timeout, deadlock. */
const CONFLICTS = new Set(['ER_CHECKREAD', 'ER_LOCK_WAIT_TIMEOUT', 'ER_LOCK_DEADLOCK']);

/** The server is shutting down, or somebody ended this connection. */
const GOING_AWAY = new Set(['ER_SERVER_SHUTDOWN', 'ER_CONNECTION_KILLED']);

/** MySQL and MariaDB. */
export function mysqlDialect(database: string): Dialect {
  const statement = (sql: string, values: readonly SqlValue[]): Statement => ({ sql, values });
  const table = (name: AuthTable): string => `\`${database.replaceAll('`', '``')}\`.\`${name}\``;
  return {
    name: 'mysql',
    // Not UNIX_TIMESTAMP(NOW()): that one repeats an hour when summer time ends.
    now: `TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000`,
    forUpdate: ' FOR UPDATE',
    begin: ['START TRANSACTION READ WRITE'],
    prepareConnection: [
      'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
      'SET SESSION innodb_lock_wait_timeout = 2',
    ],
    table,
    text: (expression) => `CAST(${expression} AS CHAR)`,
    hex: (column) => `LOWER(HEX(${column}))`,
    statement,
    insert: (name, columns, rows) => ({
      sql:
        `INSERT INTO ${table(name)} (${columns.map(([column]) => column).join(', ')}) VALUES ` +
        rows.map(() => `(${columns.map(() => '?').join(', ')})`).join(', '),
      values: rows.flat(),
    }),
    existing: statement(
      `SELECT CAST(table_name AS CHAR) AS name FROM information_schema.tables WHERE table_schema = ? ` +
        `UNION SELECT CAST(index_name AS CHAR) FROM information_schema.statistics WHERE table_schema = ?`,
      [database, database],
    ),
    writable: statement(`SELECT '1' AS readonly FROM (SELECT 1) one WHERE @@global.read_only`, []),
    failure: (error): FailureKind => {
      if (!isServerError(error)) return 'connection';
      const code = errorCodeOf(error) ?? '';
      if (CONFLICTS.has(code)) return 'conflict';
      return GOING_AWAY.has(code) ? 'connection' : 'permanent';
    },
  };
}
