import { type Dialect, type FailureKind, type OneStatement, standardDialect } from './dialect.js';
import { errorCodeOf, isServerError } from './driver-connection.js';
import type { ColumnKind } from './entities/table.js';
import type { Row, Statement } from './statement.js';

/** The type of the array in which the values of a column are sent, one element for each row. */
const ARRAYS: Readonly<Record<ColumnKind, string>> = {
  position: 'bigint[]',
  bytes: 'bytea[]',
  digest: 'bytea[]',
  sealed: 'bytea[]',
  text: 'text[]',
  long: 'text[]',
  flag: 'bigint[]',
};

/** Lock timeout, serialization failure, deadlock. */
const CONFLICTS = new Set(['55P03', '40001', '40P01']);

/** How long a transaction waits for a lock. */
const LOCK_TIMEOUT = '2s';

// One round trip. The timeouts release the head if the host of a transaction vanishes. Isolation and
// synchronous_commit are set, because the defaults of a role could make a logout serializable, or lose it
// after a crash.
const BEGIN =
  `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'; ` +
  `SET LOCAL statement_timeout = '5s'; ` +
  `SET LOCAL idle_in_transaction_session_timeout = '4s'; SELECT set_config('synchronous_commit', 'on', true) ` +
  `WHERE current_setting('synchronous_commit') IN ('off', 'local')`;

interface PostgresResult {
  readonly rows?: readonly Row[];
  readonly rowCount?: number | null;
}

/** The part of pg's client that is used directly, because TypeORM loses the results of several statements. */
interface PostgresClient {
  query(sql: string): Promise<PostgresResult | readonly PostgresResult[]>;
  query(prepared: {
    readonly name?: string | undefined;
    readonly text: string;
    readonly values: readonly unknown[];
  }): Promise<PostgresResult>;
}

/**
 * The errors of plan names behind a pooler, which gives each transaction another connection: there the plan
 * does not exist, or another client has created it.
 */
const NOT_NAMED_HERE = new Set(['26000', '42P05']);

/**
 * A single statement cannot set its own isolation level, so it checks the current one: a role has defaults,
 * and behind a pooler other clients may have changed the settings. What it sets is local to its
 * transaction.
 */
function oneStatement(): OneStatement {
  let mayName = true;
  const send = async (
    client: PostgresClient,
    { sql, values, name }: Statement,
  ): ReturnType<OneStatement['run']> => {
    const given = { name: mayName ? name : undefined, text: sql, values };
    const { rows, rowCount } = await client.query(given);
    return { rows: rows ?? [], affected: rowCount ?? 0 };
  };
  return {
    settingsAllow:
      `current_setting('transaction_isolation') = 'read committed' ` +
      `AND current_setting('synchronous_commit') NOT IN ('off', 'local') ` +
      `AND set_config('lock_timeout', '${LOCK_TIMEOUT}', true) <> ''`,
    run: async (connection, statement) => {
      const client = connection as PostgresClient;
      try {
        return await send(client, statement);
      } catch (error) {
        if (!mayName || !NOT_NAMED_HERE.has(errorCodeOf(error) ?? '')) throw error;
        mayName = false;
        return send(client, statement);
      }
    },
    // Not if the server ended the connection or had an internal error: it may have committed before that.
    isUndone: (error) =>
      isServerError(error) && !/^(57P|08|58|XX)/.test(errorCodeOf(error) ?? 'XX'),
  };
}

/** PostgreSQL. All names are qualified, all values are selected as text. */
export function postgresDialect(schema: string, tablePrefix = ''): Dialect {
  const quoted = quotedSchema(schema);
  const standard = standardDialect((name) => `${quoted}."${name}"`, tablePrefix);
  const { table } = standard;
  const insert: Dialect['insert'] = (name, columns) =>
    `INSERT INTO ${table(name)} (${columns.map((column) => column.name).join(', ')}) ` +
    `SELECT * FROM unnest(${columns.map(({ kind }) => `?::${ARRAYS[kind]}`).join(', ')})`;
  return {
    ...standard,
    name: 'postgres',
    types: {
      position: 'bigint',
      bytes: 'bytea',
      digest: 'bytea',
      sealed: 'bytea',
      text: 'varchar(255)',
      long: 'text',
      flag: 'smallint',
    },
    canAddIfMissing: true,
    isThereAlready: () => false,
    isDenied: (error) => errorCodeOf(error) === '42501',
    // A role may lock a row only if it may update one of its columns.
    lockingColumn: 'event_id',
    migrationLock: {
      take: ['BEGIN', 'SELECT pg_advisory_xact_lock(7355608)'],
      release: 'COMMIT',
      undo: 'ROLLBACK',
    },
    now: `(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint`,
    // The timeline, which changes at a promotion. Reading it needs no privileges.
    server: `CASE WHEN NOT pg_is_in_recovery() THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END`,
    isReadOnly: `CASE WHEN pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' THEN 1 ELSE 0 END`,
    behindNull: (column, order) => `${column} ${order}, `,
    begin: [BEGIN],
    openWith: async (connection, sql) => {
      const results = await (connection as PostgresClient).query(`${BEGIN}; ${sql}`);
      const last = Array.isArray(results) ? results.at(-1) : results;
      return { rows: last?.rows ?? [], affected: last?.rowCount ?? 0 };
    },
    insertAfter: (update, insert) => {
      const shifted = insert.sql.replaceAll(
        /\$(\d+)/g,
        (_, index: string) => `$${Number(index) + update.values.length}`,
      );
      return `WITH changed AS (${update.sql} RETURNING 1) ${shifted} WHERE EXISTS (SELECT FROM changed)`;
    },
    oneStatement: oneStatement(),
    text: (expression) => `(${expression})::text`,
    hex: (column) => `encode(${column}, 'hex')`,
    list: (text) => `string_agg(${text} || ',', '')`,
    placeholder: (place) => `$${place}`,
    insertsColumns: true,
    insert,
    insertMissing: (name, columns, rows) => {
      const key = columns[0]?.name;
      // Not DO NOTHING: that does not lock the existing row, which could be deleted before it is read.
      return `${insert(name, columns, rows)} ON CONFLICT (${key}) DO UPDATE SET ${key} = EXCLUDED.${key}`;
    },
    updateInOrder: (name, key, set, where) =>
      `WITH locked AS (SELECT ${key} FROM ${table(name)} WHERE ${where} ORDER BY ${key} FOR UPDATE) ` +
      `UPDATE ${table(name)} target SET ${set} FROM locked WHERE target.${key} = locked.${key}`,
    existing: {
      sql:
        `SELECT tablename::text AS name FROM pg_tables WHERE schemaname = $1 ` +
        `UNION ALL SELECT indexname::text FROM pg_indexes WHERE schemaname = $1`,
      values: [schema],
    },
    columnsOf: (tables) => ({
      sql:
        `SELECT c.relname::text AS table_name, a.attname::text AS column_name FROM pg_class c ` +
        `JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid ` +
        `WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 ` +
        `AND NOT a.attisdropped AND c.relname = ANY($2)`,
      values: [schema, tables],
    }),
    failure: (error): FailureKind => {
      if (!isServerError(error)) return 'connection';
      const code = errorCodeOf(error) ?? '';
      if (CONFLICTS.has(code)) return 'conflict';
      // The server is shutting down, has ended this connection, or is a standby. A standby refuses BEGIN READ
      // WRITE as an unsupported feature (0A000).
      return /^(57P|08|25006|0A000)/.test(code) ? 'connection' : 'permanent';
    },
  };
}

/**
 * Quotes a schema. The schema of the application's DataSource may have any name. In a statement, `$1` or
 * `?` in the name would look like a placeholder, so such a name is written with Unicode escapes.
 */
function quotedSchema(schema: string): string {
  const quoted = `"${schema.replaceAll('"', '""')}"`;
  if (!/[$?]/.test(schema)) return quoted;
  return `U&${quoted.replaceAll('\\', '\\\\').replaceAll('$', '\\0024').replaceAll('?', '\\003F')}`;
}
