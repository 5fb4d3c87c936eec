import { AUTH_ENTITIES } from './entities/auth-entities.js';
import {
  AUTH_TABLES,
  type AuthTable,
  type Column,
  type Privilege,
  type Release,
  type Table,
  tableOf,
} from './entities/table.js';
import type { Dialect, Index } from './dialect.js';

/** The objects that one migration creates. It never changes after its release. */
export interface TableChange {
  readonly migration: string;
  readonly tables: readonly AuthTable[];
  /** The release whose columns it adds to existing tables. */
  readonly addsColumnsOf?: Release;
  readonly indexes: readonly Index[];
}

/** All migrations, in their order. TypeORM reads the time of a migration from the last digits of its name. */
export const TABLE_CHANGES: readonly TableChange[] = [
  {
    migration: 'CreateAuthLog1763683200000',
    tables: [
      'auth_log',
      'auth_head',
      'auth_event',
      'auth_pending',
      'auth_subject',
      'auth_session',
      'auth_refresh',
    ],
    indexes: [
      { name: 'auth_event_id', table: 'auth_event', columns: 'event_id', unique: true },
      { name: 'auth_event_keep_until', table: 'auth_event', columns: 'keep_until' },
      { name: 'auth_subject_marked', table: 'auth_subject', columns: 'marked_at' },
      { name: 'auth_session_kid', table: 'auth_session', columns: 'kid' },
      { name: 'auth_session_subject', table: 'auth_session', columns: 'subject_key' },
      { name: 'auth_session_idle', table: 'auth_session', columns: 'idle_until' },
      { name: 'auth_session_ended', table: 'auth_session', columns: 'ended_at' },
      { name: 'auth_refresh_session', table: 'auth_refresh', columns: 'session_key' },
      { name: 'auth_refresh_grace', table: 'auth_refresh', columns: 'grace_until' },
      { name: 'auth_refresh_expires', table: 'auth_refresh', columns: 'expires_at' },
    ],
  },
  // Each instance reports its settings there, so that operators can compare them.
  { migration: 'CreateAuthInstance1763769600000', tables: ['auth_instance'], indexes: [] },
  // The columns of 0.2 are nullable, because instances of 0.1 still write to the tables during a deploy. The
  // indexes are for pages of sessions, and for finding earlier events of a key.
  {
    migration: 'AddSessionColumns1795824000000',
    tables: [],
    addsColumnsOf: '0.2',
    indexes: [
      { name: 'auth_event_key', table: 'auth_event', columns: 'event_key' },
      {
        name: 'auth_session_open',
        table: 'auth_session',
        columns: 'subject_key, ended_at, created_at, session_key',
      },
      { name: 'auth_pending_key', table: 'auth_pending', columns: 'event_key' },
      { name: 'auth_session_grant', table: 'auth_session', columns: 'grant_id' },
    ],
  },
  // Opaque tokens (option `apiTokens`).
  {
    migration: 'CreateAuthApiToken1795910400000',
    tables: ['auth_api_token'],
    indexes: [
      { name: 'auth_api_token_key', table: 'auth_api_token', columns: 'token_key', unique: true },
      {
        name: 'auth_api_token_subject',
        table: 'auth_api_token',
        columns: 'subject_key, created_at, token_key',
      },
      { name: 'auth_api_token_expires', table: 'auth_api_token', columns: 'expires_at' },
      { name: 'auth_api_token_ended', table: 'auth_api_token', columns: 'ended_at' },
    ],
  },
];

/** All indexes. The boot checks that they exist, because polls, retries, lists and the purge need them. */
export const AUTH_INDEXES: readonly Index[] = TABLE_CHANGES.flatMap(({ indexes }) => indexes);

/** The columns that a table has had since release 0.1. A table without one of them is not ours. */
export function firstColumns(table: AuthTable): string[] {
  return columnsSince(table, '0.1').map(({ name }) => name);
}

/** All columns of a table that the migrations of this release create. */
export function allColumns(table: AuthTable): string[] {
  return declared(table).columns.map(({ name }) => name);
}

function declared(table: AuthTable): Table {
  return tableOf(AUTH_ENTITIES[table]);
}

/** The columns that a release added. Each migration names its release, so that it never changes later. */
function columnsSince(table: AuthTable, release: Release): readonly Column[] {
  return declared(table).columns.filter(({ since }) => since === release);
}

function definition({ name, kind, isNullable }: Column, dialect: Dialect): string {
  return `${name} ${dialect.types[kind]}${isNullable ? '' : ' NOT NULL'}`;
}

function createTable(dialect: Dialect, table: AuthTable): string {
  const columns = columnsSince(table, '0.1');
  const key = columns.filter(({ isKey }) => isKey).map(({ name }) => name);
  const defined = columns.map((column) => definition(column, dialect));
  return `CREATE TABLE IF NOT EXISTS ${dialect.table(table)} (${defined.join(', ')}, PRIMARY KEY (${key.join(', ')}))${dialect.tableOptions}`;
}

/** The statements of a change. If its object exists, each does nothing or fails with `isThereAlready`. */
export function makeChange(
  dialect: Dialect,
  { tables, addsColumnsOf, indexes }: TableChange,
  logId: string,
  now: number,
): string[] {
  const ifMissing = dialect.canAddIfMissing ? 'IF NOT EXISTS ' : '';
  return [
    ...tables.map((table) => createTable(dialect, table)),
    ...added(addsColumnsOf).map(
      ([table, column]) =>
        `ALTER TABLE ${dialect.table(table)} ADD COLUMN ${ifMissing}${definition(column, dialect)}`,
    ),
    ...indexes.map((index) => dialect.createIndex(index)),
    ...(tables.includes('auth_log') ? firstRows(dialect, logId, now) : []),
  ];
}

/** The statements of all migrations, for an empty database. */
export function makeAll(dialect: Dialect, logId: string, now: number): string[] {
  return TABLE_CHANGES.flatMap((change) => makeChange(dialect, change, logId, now));
}

/**
 * The statements that revert a change. Dropping the tables of the log drops every revocation: tokens that
 * were logged out are accepted again.
 */
export function undoChange(
  dialect: Dialect,
  { tables, addsColumnsOf, indexes }: TableChange,
): string[] {
  return [
    // The indexes of its own tables are dropped with the tables.
    ...indexes
      .filter(({ table }) => !tables.includes(table))
      .map((index) => dialect.dropIndex(index)),
    ...added(addsColumnsOf).map(
      ([table, { name }]) => `ALTER TABLE ${dialect.table(table)} DROP COLUMN ${name}`,
    ),
    ...tables.toReversed().map((table) => `DROP TABLE IF EXISTS ${dialect.table(table)}`),
  ];
}

/**
 * The rows of the log and the head. A second run inserts nothing, so the log keeps its id and its position.
 */
function firstRows(dialect: Dialect, logId: string, now: number): string[] {
  const once = (table: AuthTable): string =>
    `FROM (SELECT 1 AS one) seed WHERE NOT EXISTS (SELECT 1 FROM ${dialect.table(table)})`;
  return [
    `INSERT INTO ${dialect.table('auth_log')} (id, log_id, created_at) SELECT 1, '${logId}', ${now} ${once('auth_log')}`,
    `INSERT INTO ${dialect.table('auth_head')} (id, position, purged_through, format, max_staleness, max_token_life, purge_claimed_until) ` +
      `SELECT 1, 0, 0, 1, 0, 0, 0 ${once('auth_head')}`,
  ];
}

function added(release: Release | undefined): (readonly [AuthTable, Column])[] {
  if (release === undefined) return [];
  return AUTH_TABLES.flatMap((table) =>
    columnsSince(table, release).map((column) => [table, column] as const),
  );
}

/** The statements that grant the least privileges which the application's role needs on our tables. */
export function grants(dialect: Dialect, role: string): string[] {
  if (!dialect.hasRoles) return [];
  return AUTH_TABLES.map((table) => {
    const privileges: string[] = [...declared(table).privileges];
    if (table === 'auth_event' && dialect.lockingColumn !== undefined)
      privileges.push(`UPDATE (${dialect.lockingColumn})`);
    return `GRANT ${privileges.join(', ')} ON ${dialect.table(table)} TO ${role}`;
  });
}

/** A statement that needs the privilege and affects no row. It fails if the role lacks the privilege. */
export function privilegeProbe(dialect: Dialect, name: AuthTable, privilege: Privilege): string {
  const table = dialect.table(name);
  const column = declared(name).columns.find(({ isKey }) => !isKey)?.name;
  switch (privilege) {
    case 'SELECT':
      return `SELECT 1 AS one FROM ${table} WHERE 1 = 0`;
    case 'INSERT':
      return `INSERT INTO ${table} SELECT * FROM ${table} WHERE 1 = 0`;
    case 'UPDATE':
      return `UPDATE ${table} SET ${column} = ${column} WHERE 1 = 0`;
    case 'DELETE':
      return `DELETE FROM ${table} WHERE 1 = 0`;
  }
}
