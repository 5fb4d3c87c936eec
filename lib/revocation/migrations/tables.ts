import type { AuthTable, Dialect } from '../store/dialect.js';

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

/** What the first migration made; each later table has a migration of its own. */
const FIRST_TABLES = (Object.keys(COLUMNS) as AuthTable[]).filter(
  (table) => table !== 'auth_instance',
);

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

/** The indexes that polls, retries, lists and the purge rest on; the boot check asks for them by name. */
export const AUTH_INDEXES = [
  { name: 'auth_event_id', unique: true, table: 'auth_event', column: 'event_id' },
  { name: 'auth_event_keep_until', unique: false, table: 'auth_event', column: 'keep_until' },
  { name: 'auth_subject_marked', unique: false, table: 'auth_subject', column: 'marked_at' },
  { name: 'auth_session_kid', unique: false, table: 'auth_session', column: 'kid' },
  { name: 'auth_session_subject', unique: false, table: 'auth_session', column: 'subject_key' },
  { name: 'auth_session_idle', unique: false, table: 'auth_session', column: 'idle_until' },
  { name: 'auth_session_ended', unique: false, table: 'auth_session', column: 'ended_at' },
  { name: 'auth_refresh_session', unique: false, table: 'auth_refresh', column: 'session_key' },
  { name: 'auth_refresh_grace', unique: false, table: 'auth_refresh', column: 'grace_until' },
  { name: 'auth_refresh_expires', unique: false, table: 'auth_refresh', column: 'expires_at' },
] as const;

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

function createTable(dialect: Dialect, table: AuthTable): string {
  const types = TYPES[dialect.name];
  const columns = COLUMNS[table].map(
    ([name, type, nullable]) => `${name} ${types[type]}${nullable === 'null' ? '' : ' NOT NULL'}`,
  );
  const tail = dialect.name === 'mysql' ? ' ENGINE = InnoDB' : '';
  return `CREATE TABLE IF NOT EXISTS ${dialect.table(table)} (${columns.join(', ')}, PRIMARY KEY (${PRIMARY_KEY[table]}))${tail}`;
}

/** Statements that make the log; each does nothing where its object exists already. */
export function createTables(dialect: Dialect, logId: string, now: number): string[] {
  const tables = FIRST_TABLES.map((table) => createTable(dialect, table));
  const indexes = AUTH_INDEXES.map(({ name, unique, table, column }) => {
    // MySQL has no CREATE INDEX IF NOT EXISTS; MariaDB has, and so have the others.
    const kind = `${unique ? 'UNIQUE ' : ''}INDEX`;
    return dialect.name === 'mysql'
      ? `ALTER TABLE ${dialect.table(table)} ADD ${kind} ${name} (${column})`
      : `CREATE ${kind} IF NOT EXISTS ${name} ON ${dialect.table(table)} (${column})`;
  });
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
