import { type Dialect, type FailureKind, standardDialect } from './dialect.js';
import { errorCodeOf, isServerError } from './driver-connection.js';

/** MariaDB's "record has changed since last read", a lock wait timeout, a deadlock. */
const CONFLICTS = new Set(['ER_CHECKREAD', 'ER_LOCK_WAIT_TIMEOUT', 'ER_LOCK_DEADLOCK']);

/**
 * The server is shutting down, an administrator killed this connection, or the server became a replica. For
 * the last case Aurora and InnoDB have codes of their own.
 */
const GOING_AWAY = new Set([
  'ER_SERVER_SHUTDOWN',
  'ER_CONNECTION_KILLED',
  'ER_OPTION_PREVENTS_STATEMENT',
  'ER_READ_ONLY_MODE',
  'ER_INNODB_READ_ONLY',
]);

/** MySQL and MariaDB. */
export function mysqlDialect(database: string, tablePrefix = ''): Dialect {
  const quoted = `\`${database.replaceAll('`', '``')}\``;
  const standard = standardDialect((name) => `${quoted}.\`${name}\``, tablePrefix);
  const { insert, prefixed, table } = standard;
  return {
    ...standard,
    name: 'mysql',
    types: {
      position: 'bigint',
      bytes: 'binary(16)',
      digest: 'binary(32)',
      sealed: 'varbinary(64)',
      text: 'varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
      long: 'text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
      flag: 'smallint',
    },
    tableOptions: ' ENGINE = InnoDB',
    // MySQL has no CREATE INDEX IF NOT EXISTS.
    createIndex: ({ name, unique, table: on, columns }) =>
      `ALTER TABLE ${table(on)} ADD ${unique === true ? 'UNIQUE ' : ''}INDEX ${prefixed(name)} (${columns})`,
    dropIndex: ({ name, table: on }) => `ALTER TABLE ${table(on)} DROP INDEX ${prefixed(name)}`,
    isThereAlready: (error) =>
      ['ER_DUP_KEYNAME', 'ER_DUP_FIELDNAME'].includes(errorCodeOf(error) ?? ''),
    isDenied: (error) =>
      ['ER_TABLEACCESS_DENIED_ERROR', 'ER_COLUMNACCESS_DENIED_ERROR'].includes(
        errorCodeOf(error) ?? '',
      ),
    migrationLock: {
      take: ["SELECT GET_LOCK('nestjs-logout', 60)"],
      release: "SELECT RELEASE_LOCK('nestjs-logout')",
    },
    // Not UNIX_TIMESTAMP(NOW()), which repeats an hour when daylight saving time ends. SYSDATE is evaluated
    // when the row is read, after the wait for its lock; UTC_TIMESTAMP is the start of the statement.
    now: `TIMESTAMPDIFF(MICROSECOND, '1970-01-01', SYSDATE(3)) DIV 1000`,
    // MariaDB has no @@server_uuid, and ignores a comment with this version number. MySQL executes it.
    server: `CONCAT_WS(':', @@hostname, @@port, @@server_id /*!50700 , @@server_uuid */)`,
    // Some releases return a number, others a word.
    isReadOnly: `(CAST(@@global.read_only AS CHAR) NOT IN ('0', 'OFF'))`,
    ordered: (index) => ` FORCE INDEX (\`${prefixed(index)}\`)`,
    begin: ['START TRANSACTION READ WRITE'],
    prepareConnection: [
      // Prevents SQL injection. The driver escapes quotes with backslashes. In the mode NO_BACKSLASH_ESCAPES
      // a quote in a client's text would end the literal, and the rest of the text would be SQL.
      `SET SESSION sql_mode = TRIM(BOTH ',' FROM REPLACE(CONCAT(',', @@SESSION.sql_mode, ','), ',NO_BACKSLASH_ESCAPES,', ','))`,
      'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
      // A host that vanishes during a transaction must not keep the head locked. Only MariaDB has a timeout
      // for idle transactions.
      'SET SESSION innodb_lock_wait_timeout = 2 /*M!100300 , SESSION idle_transaction_timeout = 4 */',
      "SET SESSION time_zone = '+00:00'",
    ],
    text: (expression) => `CAST(${expression} AS CHAR)`,
    hex: (column) => `LOWER(HEX(${column}))`,
    // Not INSERT IGNORE: it would truncate long values, and its shared locks on existing rows cause
    // deadlocks.
    insertMissing: (name, columns, rows) => {
      const key = columns[0]?.name;
      return `${insert(name, columns, rows)} ON DUPLICATE KEY UPDATE ${key} = ${key}`;
    },
    updateInOrder: (name, key, set, where) =>
      `UPDATE ${table(name)} SET ${set} WHERE ${where} ORDER BY ${key}`,
    existing: {
      sql:
        `SELECT CAST(table_name AS CHAR) AS name FROM information_schema.tables WHERE table_schema = ? ` +
        `UNION SELECT CAST(index_name AS CHAR) FROM information_schema.statistics WHERE table_schema = ?`,
      values: [database, database],
    },
    columnsOf: (tables) => ({
      sql:
        `SELECT CAST(table_name AS CHAR) AS table_name, CAST(column_name AS CHAR) AS column_name ` +
        `FROM information_schema.columns WHERE table_schema = ? ` +
        `AND table_name IN (${tables.map(() => '?').join(', ')})`,
      values: [database, ...tables],
    }),
    // Not `IN (…)`: that becomes a scan, which waits for every row of an open transaction on its way.
    deletePending: (count) =>
      `DELETE p FROM (SELECT CAST(? AS BINARY(16)) AS id` +
      ` UNION ALL SELECT ?`.repeat(count - 1) +
      `) wanted STRAIGHT_JOIN ${table('auth_pending')} p ON p.event_id = wanted.id`,
    failure: (error): FailureKind => {
      if (!isServerError(error)) return 'connection';
      const code = errorCodeOf(error) ?? '';
      if (CONFLICTS.has(code)) return 'conflict';
      return GOING_AWAY.has(code) ? 'connection' : 'permanent';
    },
  };
}
