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

/** The indexes of the first migration. */
const FIRST_INDEXES: readonly Index[] = [
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
];

/** The indexes of 0.2: for its columns, for pages of sessions, and for repeated acts. */
const ADDED_INDEXES: readonly Index[] = [
  { name: 'auth_event_key', table: 'auth_event', columns: 'event_key' },
  {
    name: 'auth_session_open',
    table: 'auth_session',
    columns: 'subject_key, ended_at, created_at, session_key',
  },
  { name: 'auth_pending_key', table: 'auth_pending', columns: 'event_key' },
  { name: 'auth_session_grant', table: 'auth_session', columns: 'grant_id' },
];

/** The indexes of `auth_api_token`. */
const API_TOKEN_INDEXES: readonly Index[] = [
  { name: 'auth_api_token_key', table: 'auth_api_token', columns: 'token_key', unique: true },
  {
    name: 'auth_api_token_subject',
    table: 'auth_api_token',
    columns: 'subject_key, created_at, token_key',
  },
  { name: 'auth_api_token_expires', table: 'auth_api_token', columns: 'expires_at' },
  { name: 'auth_api_token_ended', table: 'auth_api_token', columns: 'ended_at' },
];

/** The indexes that polls, retries, lists and the purge rest on; the boot check asks for them by name. */
export const AUTH_INDEXES: readonly Index[] = [
  ...FIRST_INDEXES,
  ...ADDED_INDEXES,
  ...API_TOKEN_INDEXES,
];

/** What the first migration made; the others have a migration of their own. */
const FIRST_TABLES = AUTH_TABLES.filter(
  (table) => table !== 'auth_instance' && table !== 'auth_api_token',
);

/** The columns of each release of our tables: without one of them it is somebody else's table. */
export function firstColumns(table: AuthTable): string[] {
  return columnsSince(table, '0.1').map(({ name }) => name);
}

/** All columns of a table, as the migrations of this release make them. */
export function allColumns(table: AuthTable): string[] {
  return declared(table).columns.map(({ name }) => name);
}

function declared(table: AuthTable): Table {
  return tableOf(AUTH_ENTITIES[table]);
}

/** The columns that a release added. Each migration asks for its own, so that none changes later. */
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

/** Statements that make the log; each does nothing where its object exists already. */
export function createTables(dialect: Dialect, logId: string, now: number): string[] {
  const tables = FIRST_TABLES.map((table) => createTable(dialect, table));
  const indexes = FIRST_INDEXES.map((index) => dialect.createIndex(index));
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

/** Statements that add the columns and indexes of 0.2. */
export function addColumns(dialect: Dialect): string[] {
  const ifMissing = dialect.canAddIfMissing ? 'IF NOT EXISTS ' : '';
  const columns = added().map(
    ([table, column]) =>
      `ALTER TABLE ${dialect.table(table)} ADD COLUMN ${ifMissing}${definition(column, dialect)}`,
  );
  return [...columns, ...ADDED_INDEXES.map((index) => dialect.createIndex(index))];
}

/** Statements that remove them again; 0.1 goes on with what is left. */
export function dropColumns(dialect: Dialect): string[] {
  const indexes = ADDED_INDEXES.map((index) => dialect.dropIndex(index));
  const columns = added().map(
    ([table, { name }]) => `ALTER TABLE ${dialect.table(table)} DROP COLUMN ${name}`,
  );
  return [...indexes, ...columns];
}

function added(): (readonly [AuthTable, Column])[] {
  return AUTH_TABLES.flatMap((table) =>
    columnsSince(table, '0.2').map((column) => [table, column] as const),
  );
}

/** The statement that removes it again; no revocation is lost. */
export function dropInstances(dialect: Dialect): string {
  return `DROP TABLE IF EXISTS ${dialect.table('auth_instance')}`;
}

/** Statements that make the table of opaque tokens. */
export function createApiTokens(dialect: Dialect): string[] {
  return [
    createTable(dialect, 'auth_api_token'),
    ...API_TOKEN_INDEXES.map((index) => dialect.createIndex(index)),
  ];
}

/** The statement that removes it again: every opaque token is refused from then on. */
export function dropApiTokens(dialect: Dialect): string {
  return `DROP TABLE IF EXISTS ${dialect.table('auth_api_token')}`;
}

/** The least privileges that a role of the application needs on our tables. */
export function grants(dialect: Dialect, role: string): string[] {
  if (!dialect.hasRoles) return [];
  return AUTH_TABLES.map((table) => {
    const privileges: string[] = [...declared(table).privileges];
    if (table === 'auth_event' && dialect.lockingColumn !== undefined)
      privileges.push(`UPDATE (${dialect.lockingColumn})`);
    return `GRANT ${privileges.join(', ')} ON ${dialect.table(table)} TO ${role}`;
  });
}

/** A statement that needs a privilege and touches no row: privileges are asked for before rows are. */
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
