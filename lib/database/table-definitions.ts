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

/** What one migration makes. It never changes once it was released. */
export interface TableChange {
  readonly migration: string;
  readonly tables: readonly AuthTable[];
  /** The release whose columns it adds to tables that are there. */
  readonly addsColumnsOf?: Release;
  readonly indexes: readonly Index[];
}

/** All that the migrations make, in their order. TypeORM reads the time of one from the last digits of its name. */
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
  // In it each instance reports its settings, so that operators see contradictions.
  { migration: 'CreateAuthInstance1763769600000', tables: ['auth_instance'], indexes: [] },
  // The nullable columns of 0.2, while instances of 0.1 use the tables, and indexes for pages and repeated acts.
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

/** The indexes that polls, retries, lists and the purge rest on; the boot check asks for them by name. */
export const AUTH_INDEXES: readonly Index[] = TABLE_CHANGES.flatMap(({ indexes }) => indexes);

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

/** Statements that make a change; each does nothing, or fails as known, where its object exists already. */
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

/** All that the migrations run, on an empty database. */
export function makeAll(dialect: Dialect, logId: string, now: number): string[] {
  return TABLE_CHANGES.flatMap((change) => makeChange(dialect, change, logId, now));
}

/**
 * Statements that take a change back. Without the tables of the log every revocation is gone: all
 * logged-out tokens revive.
 */
export function undoChange(
  dialect: Dialect,
  { tables, addsColumnsOf, indexes }: TableChange,
): string[] {
  return [
    // Those of its own tables go with them.
    ...indexes
      .filter(({ table }) => !tables.includes(table))
      .map((index) => dialect.dropIndex(index)),
    ...added(addsColumnsOf).map(
      ([table, { name }]) => `ALTER TABLE ${dialect.table(table)} DROP COLUMN ${name}`,
    ),
    ...tables.toReversed().map((table) => `DROP TABLE IF EXISTS ${dialect.table(table)}`),
  ];
}

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
