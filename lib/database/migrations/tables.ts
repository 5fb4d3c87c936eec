import type { AuthTable, Dialect } from '../dialect.js';

type Column = readonly [
  name: string,
  type: 'position' | 'bytes' | 'digest' | 'sealed' | 'text' | 'flag',
  nullable?: 'null',
];

/** The columns of each table; all times are epoch milliseconds, all ids 16 bytes, digests 32. */
const COLUMNS: Readonly<Record<AuthTable, readonly Column[]>> = {
  auth_log: [
    ['id', 'flag'],
    ['log_id', 'text'],
    ['created_at', 'position'],
  ],
  auth_head: [
    ['id', 'flag'],
    ['position', 'position'],
    ['last_event_id', 'bytes', 'null'],
    ['purged_through', 'position'],
    ['server', 'text', 'null'],
    ['format', 'position'],
    ['max_staleness', 'position'],
    ['max_staleness_by', 'text', 'null'],
    ['max_token_life', 'position'],
    ['max_token_life_by', 'text', 'null'],
    ['purge_claimed_until', 'position'],
  ],
  auth_event: [
    ['position', 'position'],
    ['event_id', 'bytes'],
    ['kind', 'text'],
    ['event_key', 'bytes'],
    ['kills_below', 'position', 'null'],
    ['except_key', 'bytes', 'null'],
    ['access_only', 'flag'],
    ['issued_before', 'position', 'null'],
    ['keep_until', 'position', 'null'],
    ['reason', 'text'],
    ['actor', 'text', 'null'],
    ['created_at', 'position'],
  ],
  auth_pending: [
    ['event_id', 'bytes'],
    ['kind', 'text'],
    ['event_key', 'bytes'],
    ['except_key', 'bytes', 'null'],
    ['access_only', 'flag'],
    ['expires_at', 'position', 'null'],
    ['life', 'position', 'null'],
    ['skew', 'position'],
    ['reason', 'text'],
    ['actor', 'text', 'null'],
  ],
  auth_subject: [
    ['subject_key', 'bytes'],
    ['kills_below', 'position'],
    ['reason', 'text'],
    ['except_key', 'bytes', 'null'],
    ['spared_below', 'position'],
    ['spared_reason', 'text'],
    ['marked_at', 'position'],
    ['locked_until', 'position', 'null'],
    ['disabled_at', 'position', 'null'],
  ],
  auth_session: [
    ['session_key', 'bytes'],
    ['sid', 'text'],
    ['subject_key', 'bytes'],
    ['subject', 'text'],
    ['gen', 'position'],
    ['kid', 'text'],
    ['client', 'text', 'null'],
    ['device', 'text', 'null'],
    ['ip', 'text', 'null'],
    ['user_agent', 'text', 'null'],
    ['delivery', 'text'],
    ['created_at', 'position'],
    ['last_seen_at', 'position'],
    ['idle_until', 'position'],
    ['expires_at', 'position'],
    ['ended_at', 'position', 'null'],
    ['end_reason', 'text', 'null'],
  ],
  auth_refresh: [
    ['token_digest', 'digest'],
    ['session_key', 'bytes'],
    ['number', 'position'],
    ['expires_at', 'position'],
    ['replaced_at', 'position', 'null'],
    ['grace_until', 'position', 'null'],
    ['retries', 'position'],
    ['sealed_successor', 'sealed', 'null'],
  ],
  auth_instance: [
    ['instance_id', 'bytes'],
    ['label', 'text'],
    ['issuer', 'text'],
    ['max_staleness', 'position'],
    ['max_token_life', 'position'],
    ['release_name', 'text'],
    ['format', 'position'],
    ['seen_at', 'position'],
    ['clock_ahead', 'position'],
  ],
};

/**
 * What release 0.2 adds to tables of 0.1, each column nullable: 0.1 neither writes nor reads them, and
 * runs beside 0.2 on the same tables. The columns of later features are among them, so that a database
 * is widened once (docs/decisions/0012).
 */
const ADDED_COLUMNS: Partial<Readonly<Record<AuthTable, readonly Column[]>>> = {
  auth_session: [
    ['grant_id', 'text', 'null'],
    ['tenant', 'text', 'null'],
    ['auth_time', 'position', 'null'],
    ['jkt', 'text', 'null'],
    ['network', 'bytes', 'null'],
    ['persistent', 'flag', 'null'],
    ['retries_until', 'position', 'null'],
    ['access_ttl', 'position', 'null'],
    ['refresh_ttl', 'position', 'null'],
    ['idle_ttl', 'position', 'null'],
  ],
  auth_refresh: [
    ['retry_digest', 'digest', 'null'],
    ['retry_sealed', 'sealed', 'null'],
  ],
};

/** What the first migration made; each later table has a migration of its own. */
const FIRST_TABLES = (Object.keys(COLUMNS) as AuthTable[]).filter(
  (table) => table !== 'auth_instance',
);

/** The columns that each release of a table has had: without one of them it is somebody else's table. */
export function firstColumns(table: AuthTable): string[] {
  return COLUMNS[table].map(([name]) => name);
}

/** All columns of a table, as the migrations of this release make them. */
export function columnsOf(table: AuthTable): string[] {
  return [...firstColumns(table), ...(ADDED_COLUMNS[table] ?? []).map(([name]) => name)];
}

const PRIMARY_KEY: Readonly<Record<AuthTable, string>> = {
  auth_log: 'id',
  auth_head: 'id',
  auth_event: 'position',
  auth_pending: 'event_id',
  auth_subject: 'subject_key',
  auth_session: 'session_key',
  auth_refresh: 'token_digest',
  auth_instance: 'instance_id',
};

/** The indexes that the first migration makes. */
const FIRST_INDEXES = [
  { name: 'auth_event_id', unique: true, table: 'auth_event', columns: 'event_id' },
  { name: 'auth_event_keep_until', unique: false, table: 'auth_event', columns: 'keep_until' },
  { name: 'auth_subject_marked', unique: false, table: 'auth_subject', columns: 'marked_at' },
  { name: 'auth_session_kid', unique: false, table: 'auth_session', columns: 'kid' },
  { name: 'auth_session_subject', unique: false, table: 'auth_session', columns: 'subject_key' },
  { name: 'auth_session_idle', unique: false, table: 'auth_session', columns: 'idle_until' },
  { name: 'auth_session_ended', unique: false, table: 'auth_session', columns: 'ended_at' },
  { name: 'auth_refresh_session', unique: false, table: 'auth_refresh', columns: 'session_key' },
  { name: 'auth_refresh_grace', unique: false, table: 'auth_refresh', columns: 'grace_until' },
  { name: 'auth_refresh_expires', unique: false, table: 'auth_refresh', columns: 'expires_at' },
] as const;

/** The indexes of {@link ADDED_COLUMNS}, and those by which pages and repeated acts are found. */
const ADDED_INDEXES = [
  { name: 'auth_event_key', unique: false, table: 'auth_event', columns: 'event_key' },
  {
    name: 'auth_session_open',
    unique: false,
    table: 'auth_session',
    columns: 'subject_key, ended_at, created_at, session_key',
  },
  { name: 'auth_pending_key', unique: false, table: 'auth_pending', columns: 'event_key' },
  { name: 'auth_session_grant', unique: false, table: 'auth_session', columns: 'grant_id' },
] as const;

/** The indexes that polls, retries, lists and the purge rest on; the boot check asks for them by name. */
export const AUTH_INDEXES = [...FIRST_INDEXES, ...ADDED_INDEXES] as const;

const TYPES: Readonly<Record<Dialect['name'], Readonly<Record<Column[1], string>>>> = {
  postgres: {
    position: 'bigint',
    bytes: 'bytea',
    digest: 'bytea',
    sealed: 'bytea',
    text: 'varchar(255)',
    flag: 'smallint',
  },
  mysql: {
    position: 'bigint',
    bytes: 'binary(16)',
    digest: 'binary(32)',
    sealed: 'varbinary(64)',
    text: 'varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
    flag: 'smallint',
  },
  sqlite: {
    position: 'integer',
    bytes: 'blob',
    digest: 'blob',
    sealed: 'blob',
    text: 'text',
    flag: 'integer',
  },
};

function declaration(
  [name, type, nullable]: Column,
  types: Readonly<Record<Column[1], string>>,
): string {
  return `${name} ${types[type]}${nullable === 'null' ? '' : ' NOT NULL'}`;
}

/** MySQL has no CREATE INDEX IF NOT EXISTS; MariaDB has, and so have the others. */
function createIndex(dialect: Dialect, index: (typeof AUTH_INDEXES)[number]): string {
  const { name, unique, table, columns } = index;
  const kind = `${unique ? 'UNIQUE ' : ''}INDEX`;
  return dialect.name === 'mysql'
    ? `ALTER TABLE ${dialect.table(table)} ADD ${kind} ${dialect.prefixed(name)} (${columns})`
    : `CREATE ${kind} IF NOT EXISTS ${dialect.prefixed(name)} ON ${dialect.table(table)} (${columns})`;
}

function createTable(dialect: Dialect, table: AuthTable): string {
  const types = TYPES[dialect.name];
  const columns = COLUMNS[table].map((column) => declaration(column, types));
  const tail = dialect.name === 'mysql' ? ' ENGINE = InnoDB' : '';
  return `CREATE TABLE IF NOT EXISTS ${dialect.table(table)} (${columns.join(', ')}, PRIMARY KEY (${PRIMARY_KEY[table]}))${tail}`;
}

/** Statements that make the log; each does nothing where its object exists already. */
export function createTables(dialect: Dialect, logId: string, now: number): string[] {
  const tables = FIRST_TABLES.map((table) => createTable(dialect, table));
  const indexes = FIRST_INDEXES.map((index) => createIndex(dialect, index));
  const once = (table: AuthTable): string =>
    `FROM (SELECT 1 AS one) seed WHERE NOT EXISTS (SELECT 1 FROM ${dialect.table(table)})`;
  return [
    ...tables,
    ...indexes,
    `INSERT INTO ${dialect.table('auth_log')} (id, log_id, created_at) SELECT 1, '${logId}', ${now} ${once('auth_log')}`,
    `INSERT INTO ${dialect.table('auth_head')} (id, position, purged_through, format, max_staleness, max_token_life, purge_claimed_until) ` +
      `SELECT 1, 0, 0, 1, 0, 0, 0 ${once('auth_head')}`,
  ];
}

/** Statements that remove the log and with it every revocation: all logged-out tokens revive. */
export function dropTables(dialect: Dialect): string[] {
  return FIRST_TABLES.toReversed().map((table) => `DROP TABLE IF EXISTS ${dialect.table(table)}`);
}

/** The statement that makes the table in which instances say what they are set to. */
export function createInstances(dialect: Dialect): string {
  return createTable(dialect, 'auth_instance');
}

/**
 * Statements that add the columns and indexes of 0.2; only PostgreSQL can say IF NOT EXISTS for a
 * column, so that elsewhere a second run is told that it is there ({@link isThereAlready}).
 */
export function addColumns(dialect: Dialect): string[] {
  const ifMissing = dialect.name === 'postgres' ? 'IF NOT EXISTS ' : '';
  const columns = added().map(
    ([table, column]) =>
      `ALTER TABLE ${dialect.table(table)} ADD COLUMN ${ifMissing}${declaration(column, TYPES[dialect.name])}`,
  );
  return [...columns, ...ADDED_INDEXES.map((index) => createIndex(dialect, index))];
}

/** Statements that remove them again; 0.1 goes on with what is left. */
export function dropColumns(dialect: Dialect): string[] {
  const indexes = ADDED_INDEXES.map(({ name, table }) => {
    if (dialect.name === 'mysql')
      return `ALTER TABLE ${dialect.table(table)} DROP INDEX ${dialect.prefixed(name)}`;
    // An index is in the schema of its table, and is qualified like one.
    const qualified = dialect.table(table).replace(dialect.prefixed(table), dialect.prefixed(name));
    return `DROP INDEX IF EXISTS ${qualified}`;
  });
  const columns = added().map(
    ([table, [name]]) => `ALTER TABLE ${dialect.table(table)} DROP COLUMN ${name}`,
  );
  return [...indexes, ...columns];
}

function added(): (readonly [AuthTable, Column])[] {
  return (Object.entries(ADDED_COLUMNS) as [AuthTable, readonly Column[]][]).flatMap(
    ([table, columns]) => columns.map((column) => [table, column] as const),
  );
}

/** The statement that removes it again; no revocation is lost. */
export function dropInstances(dialect: Dialect): string {
  return `DROP TABLE IF EXISTS ${dialect.table('auth_instance')}`;
}

/** The least privileges that a role of the application needs on our tables. */
export function grants(dialect: Dialect, role: string): string[] {
  if (dialect.name === 'sqlite') return [];
  // PostgreSQL lets nobody lock a row for update who may not update one of its columns.
  const locking = dialect.name === 'postgres' ? ', UPDATE (event_id)' : '';
  return [
    `GRANT SELECT ON ${dialect.table('auth_log')} TO ${role}`,
    `GRANT SELECT, UPDATE ON ${dialect.table('auth_head')} TO ${role}`,
    `GRANT SELECT, INSERT, DELETE${locking} ON ${dialect.table('auth_event')} TO ${role}`,
    `GRANT SELECT, INSERT, DELETE ON ${dialect.table('auth_pending')} TO ${role}`,
    ...(['auth_subject', 'auth_session', 'auth_refresh', 'auth_instance'] as const).map(
      (table) => `GRANT SELECT, INSERT, UPDATE, DELETE ON ${dialect.table(table)} TO ${role}`,
    ),
  ];
}
