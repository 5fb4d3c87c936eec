import { DataSource, type QueryRunner } from 'typeorm';
import {
  dataSourceClassOf,
  deriveDataSourceOptions,
} from '../database/derive-data-source-options.js';
import { AUTH_ENTITIES } from '../database/entities/auth-entities.js';
import {
  AUTH_TABLES,
  type AuthTable,
  type Privilege,
  tableOf,
} from '../database/entities/table.js';
import { StorageFailure } from '../database/log-database.js';
import type { OperatorStatements } from '../database/operator.statements.js';
import { AUTH_INDEXES, grants, privilegeProbe } from '../database/table-definitions.js';
import { type Check, note, type Patient, wrong } from './doctor-check.js';
import { applicationOf, type LogTarget, optionsOf } from './log-target.js';

/** How often two connections are asked for the backend that serves them. */
const ROUNDS = 5;

const primary: Check = {
  name: 'primary',
  title: 'the server accepts writes',
  needs: [],
  look: async ({ log, isReadOnly }) => {
    if (!isReadOnly) return [];
    const inRecovery =
      log.database.dialect.name === 'postgres' && (await setting(log, 'inRecovery')) === 'true';
    return [
      inRecovery
        ? wrong(
            'This is a standby (pg_is_in_recovery), not the primary: a logout must be written, and a poll of a standby proves nothing.',
            'Connect to the primary: its own host name, or target_session_attrs=read-write with both hosts.',
            'With TypeORM’s replication the log uses replication.master: is that the primary?',
          )
        : wrong(
            'The server is read-only for this role or database: a logout must be written.',
            'If it is a replica, connect to the primary. With TypeORM’s replication the log uses replication.master.',
            log.database.dialect.name === 'postgres'
              ? 'Otherwise look for default_transaction_read_only: SHOW default_transaction_read_only; ALTER DATABASE … RESET default_transaction_read_only;'
              : 'Otherwise SET GLOBAL read_only = 0 on the primary.',
          ),
    ];
  },
};

const durability: Check = {
  name: 'durability',
  title: 'what was committed is on disk',
  needs: [],
  look: async ({ log }) => {
    switch (log.database.dialect.name) {
      case 'sqlite':
        return 'the log’s own connection always has synchronous = FULL';
      case 'postgres': {
        const fsync = await setting(log, 'fsync');
        const commit = await setting(log, 'synchronousCommit');
        return [
          ...(fsync === 'off'
            ? [
                wrong(
                  'fsync is off: a crash of the host loses logouts, or the whole database.',
                  'ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf();',
                ),
              ]
            : []),
          ...(commit === 'off' || commit === 'local'
            ? [
                wrong(
                  `synchronous_commit is ${commit}: the library sets it on for its own transactions, but logout(…, { manager }) has the application’s, and a crash or a failover can lose it.`,
                  'ALTER DATABASE … RESET synchronous_commit; (or ALTER ROLE …), or SET LOCAL synchronous_commit = on in those transactions.',
                ),
              ]
            : []),
        ];
      }
      case 'mysql': {
        const flush = await setting(log, 'flushAtCommit');
        if (flush === '1') return [];
        return [
          wrong(
            `innodb_flush_log_at_trx_commit is ${flush}: a crash loses up to a second of logouts that were reported as done.`,
            'SET GLOBAL innodb_flush_log_at_trx_commit = 1, and the same in the server’s configuration.',
          ),
        ];
      }
    }
  },
};

const pooler: Check = {
  name: 'pooler',
  title: 'no pooler in transaction mode is in between',
  needs: [],
  look: async ({ log, target }) => {
    if (log.database.dialect.name !== 'postgres')
      return 'only PostgreSQL is used behind such poolers';
    if (!(await sharesBackends(log, target))) return [];
    return [
      note(
        'A pooler in transaction mode (PgBouncer, or a managed one) is in between: one backend serves several connections. The log works behind it; LISTEN, and so the PostgreSQL push notification, does not.',
        'Give postgresHint() a url of its own that leads directly to the primary; otherwise it reports "polling only".',
        'Run nestjs-logout migrate over the direct url as well.',
      ),
    ];
  },
};

/**
 * Whether two connections that are open at once share backends. Without a pooler in transaction mode
 * each connection has one backend of its own.
 */
async function sharesBackends(log: Patient['log'], target: LogTarget): Promise<boolean> {
  const { sql } = log.operator.setting('backend');
  const backendOf = async (runner: QueryRunner): Promise<string> => {
    const [row] = (await runner.query(sql)) as { value: string }[];
    return row?.value ?? '';
  };
  const application = applicationOf(target);
  const options = deriveDataSourceOptions(optionsOf(target), target);
  const Class = application === undefined ? DataSource : dataSourceClassOf(application);
  const dataSource = await new Class(options).initialize();
  const [one, other] = [
    dataSource.createQueryRunner('master'),
    dataSource.createQueryRunner('master'),
  ];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const before = await backendOf(one);
      await other.startTransaction();
      try {
        // The other's transaction holds its own backend, or with a pooler the one that was just free.
        if ((await backendOf(other)) === before || (await backendOf(one)) !== before) return true;
      } finally {
        await other.rollbackTransaction();
      }
    }
    return false;
  } finally {
    await Promise.all([one.release(), other.release()]);
    await dataSource.destroy();
  }
}

async function setting(
  log: Patient['log'],
  name: Parameters<OperatorStatements['setting']>[0],
): Promise<string> {
  const [row] = await log.rows(log.operator.setting(name));
  return row?.['value'] ?? '';
}

/** Whether the server and what is in front of it are fit for the log. */
export const SERVER_CHECKS = [primary, durability, pooler] as const;

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
