import { AUTH_INDEXES, grants, privilegeProbe } from '../../database/table-definitions.js';
import {
  AUTH_TABLES,
  type AuthTable,
  type Privilege,
  tableOf,
} from '../../database/entities/table.js';
import { AUTH_ENTITIES } from '../../database/entities/auth-entities.js';
import { StorageFailure } from '../../database/log-database.js';
import { type Check, type Patient, wrong } from './check.js';

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
    return missing.map((index) =>
      wrong(
        `The index ${dialect.prefixed(index.name)} is missing: every poll, retry or purge reads the whole of ${index.table}.`,
        `${dialect.createIndex(index)};`,
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
      for (const privilege of tableOf(AUTH_ENTITIES[table]).privileges) {
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
  const sql = privilegeProbe(database.dialect, table, privilege);
  try {
    await database.transaction(function* () {
      yield { sql, values: [] };
    });
    return false;
  } catch (error) {
    const cause = error instanceof StorageFailure ? error.cause : error;
    if (database.dialect.isDenied(cause)) return true;
    throw cause;
  }
}

/** What was made, and what may be done with it. */
export const SCHEMA_CHECKS = [tables, indexes, privileges] as const;
