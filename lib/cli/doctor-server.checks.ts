import type { QueryRunner } from 'typeorm';
import { AUTH_ENTITIES } from '../database/entities/auth-entities.js';
import {
  AUTH_TABLES,
  type AuthTable,
  type Privilege,
  tableOf,
} from '../database/entities/table.js';
import { StorageFailure } from '../database/log-database.js';
import { connectTo } from '../database/open-log-database.js';
import type { OperatorStatements } from '../database/operator.statements.js';
import { grants, privilegeProbe } from '../database/table-definitions.js';
import type { CommandLog } from './command-log.js';
import { type Check, type Finding, note, wrong } from './doctor-check.js';

/**
 * How often two connections compare their backends. A pooler may give them different backends by
 * chance, but hardly every time.
 */
const ROUNDS = 5;

/** Checks that the server, and a pooler in front of it, suit the log. */
export const SERVER_CHECKS: readonly Check[] = [
  {
    name: 'primary',
    title: 'the server accepts writes',
    async look({ log, isReadOnly }) {
      if (!isReadOnly) return undefined;
      const isPostgres = log.database.dialect.name === 'postgres';
      if (isPostgres && (await setting(log, 'inRecovery')) === 'true') {
        return wrong(
          'This is a standby (pg_is_in_recovery), not the primary. A standby cannot store a logout, and polling it proves nothing.',
          'Connect to the primary: its own host name, or target_session_attrs=read-write with both hosts.',
          'With TypeORM’s replication the log uses replication.master: check that it is the primary.',
        );
      }
      return wrong(
        'The server is read-only for this role or database, so logouts cannot be stored.',
        'If it is a replica, connect to the primary. With TypeORM’s replication the log uses replication.master.',
        isPostgres
          ? 'Otherwise look for default_transaction_read_only: SHOW default_transaction_read_only; ALTER DATABASE … RESET default_transaction_read_only;'
          : 'Otherwise SET GLOBAL read_only = 0 on the primary.',
      );
    },
  },
  {
    name: 'durability',
    title: 'commits are durable',
    // A receipt promises that a logout survives a crash of the server (P5).
    look({ log }) {
      switch (log.database.dialect.name) {
        case 'sqlite':
          return 'the log’s own connection always has synchronous = FULL';
        case 'postgres':
          return durabilityOfPostgres(log);
        case 'mysql':
          return durabilityOfMysql(log);
      }
    },
  },
  {
    name: 'pooler',
    title: 'there is no pooler in transaction mode',
    async look({ log }) {
      if (log.database.dialect.name !== 'postgres') return 'the check is for PostgreSQL only';
      if (!(await sharesBackends(log))) return undefined;
      return note(
        'There is a pooler in transaction mode (PgBouncer, or a managed one): one backend serves several connections. The log works behind it. LISTEN, and so the PostgreSQL push notification, does not.',
        'Pass postgresHint() a url that connects directly to the primary. Otherwise it reports "polling only".',
        'Use the direct url for nestjs-logout migrate as well.',
      );
    },
  },
];

/**
 * The library sets `synchronous_commit` for its own transactions, so the setting matters for `{ manager }`
 * only. With `local`, a failover to a standby can lose a logout that was reported as successful.
 */
async function durabilityOfPostgres(log: CommandLog): Promise<Finding[]> {
  const findings: Finding[] = [];
  if ((await setting(log, 'fsync')) === 'off') {
    findings.push(
      wrong(
        'fsync is off: a crash of the host loses logouts, or the whole database.',
        'ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf();',
      ),
    );
  }
  const commit = await setting(log, 'synchronousCommit');
  if (commit === 'off' || commit === 'local') {
    findings.push(
      wrong(
        `synchronous_commit is ${commit}: the library sets it to on for its own transactions. But logout(…, { manager }) uses the setting of the application, so a crash or a failover can lose such a logout.`,
        'ALTER DATABASE … RESET synchronous_commit; (or ALTER ROLE …), or SET LOCAL synchronous_commit = on in those transactions.',
      ),
    );
  }
  return findings;
}

async function durabilityOfMysql(log: CommandLog): Promise<Finding | undefined> {
  const flush = await setting(log, 'flushAtCommit');
  if (flush === '1') return undefined;
  return wrong(
    `innodb_flush_log_at_trx_commit is ${flush}: a crash loses up to a second of logouts that were reported as successful.`,
    'SET GLOBAL innodb_flush_log_at_trx_commit = 1, and the same in the server’s configuration.',
  );
}

/**
 * Whether two open connections share backends. Without a pooler in transaction mode each connection
 * has one backend of its own.
 */
async function sharesBackends({ operator, target }: CommandLog): Promise<boolean> {
  const { sql } = operator.setting('backend');
  const backendOf = async (runner: QueryRunner): Promise<string> => {
    const [row] = (await runner.query(sql)) as { value: string }[];
    return row?.value ?? '';
  };
  const dataSource = await connectTo(target);
  const [one, other] = [
    dataSource.createQueryRunner('master'),
    dataSource.createQueryRunner('master'),
  ];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const before = await backendOf(one);
      await other.startTransaction();
      try {
        // The transaction of the other connection holds its own backend, or, behind a pooler, the
        // one that was just free.
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

/** Reads one setting of the server; an empty text if it does not exist. */
async function setting(
  log: CommandLog,
  name: Parameters<OperatorStatements['setting']>[0],
): Promise<string> {
  const [row] = await log.rows(log.operator.setting(name));
  return row?.['value'] ?? '';
}

/** Checks the tables, columns, indexes and privileges. */
export const SCHEMA_CHECKS: readonly Check[] = [
  {
    name: 'tables',
    title: 'all tables exist',
    look({ missing: { tables }, log: { target, database } }) {
      if (tables.length === 0) return undefined;
      const where = target.schema === undefined ? '' : ` in the schema "${target.schema}"`;
      return wrong(
        `These tables are missing${where}: ${tables.join(', ')}.`,
        'nestjs-logout migrate creates them (with the same --data-source, --schema and --table-prefix).',
        `Or run node_modules/nestjs-logout/docs/sql/${database.dialect.name}.up.sql, or add ...authMigrations to your own migrations.`,
        'If the application finds them, check that you use the same database, --schema and --table-prefix.',
      );
    },
  },
  {
    name: 'columns',
    title: 'all columns exist',
    look({ missing: { columns } }) {
      if (columns.length === 0) return undefined;
      return wrong(
        `These columns are missing: ${columns.join(', ')}. Instances of this release refuse to boot.`,
        'nestjs-logout migrate adds those that came after release 0.1 (with the same --data-source, --schema and --table-prefix).',
        'If other columns are missing, the table was changed by hand, or belongs to another program. Then use a --table-prefix.',
      );
    },
  },
  {
    name: 'indexes',
    title: 'all indexes exist',
    look({ missing: { indexes }, log: { database } }) {
      const { dialect } = database;
      return indexes.map((index) =>
        wrong(
          `The index ${dialect.prefixed(index.name)} is missing: every poll, retry or purge reads the whole of ${index.table}.`,
          `${dialect.createIndex(index)};`,
        ),
      );
    },
  },
  {
    name: 'privileges',
    title: 'the role has the privileges that the library needs',
    async look({ log, missing: { tables }, isReadOnly }) {
      if (isReadOnly) return 'the server is read-only';
      const { dialect } = log.database;
      const denied: { table: AuthTable; privilege: Privilege }[] = [];
      for (const table of AUTH_TABLES.filter((name) => !tables.includes(name))) {
        for (const privilege of tableOf(AUTH_ENTITIES[table]).privileges) {
          if (await isDenied(log, table, privilege)) denied.push({ table, privilege });
        }
      }
      if (denied.length === 0) return undefined;
      const concerned = denied.map(({ table }) => ` ${dialect.table(table)} `);
      return wrong(
        `The role of this connection may not ${denied.map(({ table, privilege }) => `${privilege} ${table}`).join(', ')}.`,
        ...grants(dialect, '<role>').filter((grant) => concerned.some((at) => grant.includes(at))),
      );
    },
  },
];

/**
 * Whether a privilege is missing. It runs a statement that affects no row, because databases check
 * privileges before they read rows.
 */
async function isDenied(
  { database }: CommandLog,
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
