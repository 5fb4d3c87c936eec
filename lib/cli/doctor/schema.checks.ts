import { AUTH_INDEXES, grants } from '../../database/migrations/tables.js';
import { AUTH_TABLES, type AuthTable, type Dialect } from '../../database/dialect.js';
import { errorCodeOf } from '../../database/driver-error.js';
import { StorageFailure } from '../../database/log-database.js';
import { type Check, type Patient, wrong } from './check.js';

/** "Insufficient privilege" of PostgreSQL; what MySQL says of tables and of columns. */
const DENIED = new Set(['42501', 'ER_TABLEACCESS_DENIED_ERROR', 'ER_COLUMNACCESS_DENIED_ERROR']);

type Privilege = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';

/** What the library does with each table; the same as the GRANTs of docs/sql. */
const NEEDED: Readonly<Record<AuthTable, readonly Privilege[]>> = {
  auth_log: ['SELECT'],
  auth_head: ['SELECT', 'UPDATE'],
  auth_event: ['SELECT', 'INSERT', 'DELETE'],
  auth_pending: ['SELECT', 'INSERT', 'DELETE'],
  auth_subject: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  auth_session: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  auth_refresh: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  auth_instance: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
};

const COLUMN_OF: Readonly<Record<AuthTable, string>> = {
  auth_log: 'log_id',
  auth_head: 'position',
  auth_event: 'event_id',
  auth_pending: 'event_id',
  auth_subject: 'marked_at',
  auth_session: 'idle_until',
  auth_refresh: 'retries',
  auth_instance: 'seen_at',
};

const tables: Check = {
  name: 'tables',
  title: 'all tables are there',
  needs: [],
  look: async ({ present, target, log }) => {
    const missing = AUTH_TABLES.filter((name) => !present.has(name));
    if (missing.length === 0) return [];
    const where = target.schema === undefined ? '' : ` in the schema "${target.schema}"`;
    return [
      wrong(
        `These tables are missing${where}: ${missing.join(', ')}.`,
        'nestjs-logout migrate makes them (with the same --data-source, --schema and --table-prefix).',
        `Or run node_modules/nestjs-logout/docs/sql/${log.database.dialect.name}.up.sql, or ...authMigrations among your own migrations.`,
        'If the application finds them: is this the same database, and the same --schema and --table-prefix?',
      ),
    ];
  },
};

const indexes: Check = {
  name: 'indexes',
  title: 'all indexes are there',
  needs: [],
  look: async ({ present, log }) => {
    const missing = AUTH_INDEXES.filter(
      ({ name, table }) => present.has(table) && !present.has(name),
    );
    const { dialect } = log.database;
    return missing.map(({ name, table, columns, unique }) =>
      wrong(
        `The index ${dialect.prefixed(name)} is missing: every poll, retry or purge reads the whole of ${table}.`,
        `CREATE ${unique ? 'UNIQUE ' : ''}INDEX ${dialect.prefixed(name)} ON ${dialect.table(table)} (${columns});`,
      ),
    );
  },
};

const privileges: Check = {
  name: 'privileges',
  title: 'the role may do all that the library does',
  needs: [],
  look: async (patient) => {
    if (patient.isReadOnly) return 'the server is read-only';
    const { dialect } = patient.log.database;
    const denied: { table: AuthTable; privilege: string }[] = [];
    for (const table of AUTH_TABLES.filter((name) => patient.present.has(name))) {
      for (const privilege of NEEDED[table]) {
        if (await isDenied(patient, table, privilege)) denied.push({ table, privilege });
      }
    }
    if (denied.length === 0) return [];
    const concerned = new Set(denied.map(({ table }) => dialect.table(table)));
    const all = grants(dialect, '<role>');
    return [
      wrong(
        `The role of this connection may not ${denied.map(({ table, privilege }) => `${privilege} ${table}`).join(', ')}.`,
        ...all.filter((grant) => [...concerned].some((table) => grant.includes(` ${table} `))),
      ),
    ];
  },
};

/** Tried on no row: privileges are asked for before rows are. */
async function isDenied(
  { log: { database } }: Patient,
  table: AuthTable,
  privilege: Privilege,
): Promise<boolean> {
  const sql = attempt(database.dialect, table, privilege);
  try {
    await database.transaction(function* () {
      yield { sql, values: [] };
    });
    return false;
  } catch (error) {
    const cause = error instanceof StorageFailure ? error.cause : error;
    if (DENIED.has(errorCodeOf(cause) ?? '')) return true;
    throw cause;
  }
}

function attempt(dialect: Dialect, name: AuthTable, privilege: Privilege): string {
  const table = dialect.table(name);
  const column = COLUMN_OF[name];
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

/** What was made, and what may be done with it. */
export const SCHEMA_CHECKS = [tables, indexes, privileges] as const;
