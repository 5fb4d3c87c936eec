import { randomUUID } from 'node:crypto';
import { makeMissing } from '../database/auth-migrations.js';
import { findMissing } from '../database/check-tables.js';
import { AUTH_TABLES } from '../database/entities/table.js';
import { type LogPlace, openLogDatabase } from '../database/open-log-database.js';
import { grants, makeAll } from '../database/table-definitions.js';
import type { CommandContext } from './command-log.js';
import { CommandUsageError } from './command.js';
import { readTarget, type TargetOptions } from './log-target.js';

/** The options of `nestjs-logout migrate`. */
interface MigrateOptions extends TargetOptions {
  /** Prints the SQL, and changes nothing. */
  readonly print?: boolean | undefined;
  /** With `print`: the database role that gets the privileges. */
  readonly role?: string | undefined;
}

/**
 * `nestjs-logout migrate`: creates the tables of the log and adds what is missing, or prints the SQL for that
 * (`--print`). Run it in a deployment, so that the application needs no right to create tables.
 *
 * Migrations run under a migration lock, so instances may start with `migrations: 'run'` at the same time. The
 * command never drops anything. It prints the id of the log, its tables, and the tables that had been dropped:
 * they are created again without rows, so the revocations in them are lost.
 *
 * @throws CommandFailure if a table of another program has one of the names.
 * @throws CommandUsageError for `--role` without `--print`.
 */
export async function migrate(context: CommandContext, options: MigrateOptions): Promise<void> {
  const { output } = context;
  if (options.print === true) return printSql(context, options.role);
  if (options.role !== undefined) {
    throw new CommandUsageError('--role only says for whom --print prints the GRANTs.');
  }
  const { log, madeAgain } = await output.during(
    'Creating the tables of the revocation log …',
    async () => {
      const missing = await makeAgain(await readTarget(options, context.host.env));
      return { log: await context.open('run'), madeAgain: missing };
    },
    'The tables exist.',
  );
  const [row] = await log.rows(log.statements.logId());
  const logId = row?.['log_id'] ?? '';
  const again = `Created again, and empty: ${madeAgain.join(', ')}. nestjs-logout doctor says what that damaged.`;
  output.print(
    [
      `The log ${logId} has its tables: ${AUTH_TABLES.join(', ')}.`,
      ...(madeAgain.length === 0 ? [] : [again]),
    ],
    { logId, tables: AUTH_TABLES, madeAgain },
  );
}

/**
 * Prints the SQL. It only reads the type and version of the database, so a role without privileges
 * can print it.
 */
async function printSql(context: CommandContext, role: string | undefined): Promise<void> {
  const log = await context.open('none');
  const { dialect } = log.database;
  const statements = [
    ...makeAll(dialect, randomUUID(), log.clock.wall()),
    ...(role === undefined ? [] : grants(dialect, role)),
  ];
  context.output.print(
    statements.map((statement) => `${statement};`),
    { statements },
  );
}

/**
 * Creates tables again that were dropped after their migration, because TypeORM runs no migration
 * twice. If there is no log yet, it does nothing, and the migrations create everything.
 *
 * @returns the tables that were missing.
 */
async function makeAgain(target: LogPlace): Promise<string[]> {
  const database = await openLogDatabase({ ...target, migrations: 'none' });
  try {
    const { dialect } = database;
    const { rows } = await database.read(dialect.existing);
    if (!rows.some(({ name }) => name === dialect.prefixed('auth_migration'))) return [];
    const { tables, columns, indexes } = await findMissing(database);
    if (tables.length + columns.length + indexes.length === 0) return [];
    const run = (sql: string): Promise<unknown> => database.read({ sql, values: [] });
    await makeMissing(run, dialect, makeAll(dialect, randomUUID(), Date.now()));
    return tables.map(dialect.prefixed);
  } finally {
    await database.close();
  }
}
