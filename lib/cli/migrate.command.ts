import { randomUUID } from 'node:crypto';
import type { Dialect } from '../database/dialect.js';
import { AUTH_TABLES } from '../database/entities/table.js';
import { makeMissing } from '../database/auth-migrations.js';
import {
  addColumns,
  AUTH_INDEXES,
  createInstances,
  createTables,
  grants,
} from '../database/table-definitions.js';
import { openLogDatabase } from '../database/open-log-database.js';
import { withLog } from './command-log.js';
import { type CommandContext, CommandUsageError, EXIT } from './command.js';
import { readTarget, type TargetOptions } from './log-target.js';

/** The options of `nestjs-logout migrate`. */
export interface MigrateOptions extends TargetOptions {
  readonly print?: boolean | undefined;
  readonly role?: string | undefined;
}

/** `nestjs-logout migrate`: makes the tables of the log, or prints the SQL that would. */
export async function migrate(context: CommandContext, options: MigrateOptions): Promise<number> {
  const { output } = context;
  if (options.role !== undefined && options.print !== true) {
    throw new CommandUsageError('--role only says for whom --print prints the GRANTs.');
  }
  if (options.print === true) {
    return withLog(
      context,
      options,
      async (log) => {
        const { dialect } = log.database;
        const statements = [
          ...statementsOf(dialect, log.clock.wall()),
          ...(options.role === undefined ? [] : grants(dialect, options.role)),
        ];
        output.print(
          statements.map((statement) => `${statement};`),
          { statements },
        );
        return EXIT.ok;
      },
      'none',
    );
  }
  const madeAgain = await output.during(
    'Creating the tables of the revocation log …',
    async () => {
      const missing = await makeAgain(context, options);
      await withLog(context, options, () => Promise.resolve(), 'run');
      return missing;
    },
    'The tables exist.',
  );
  return withLog(context, options, async (log) => {
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
    return EXIT.ok;
  });
}

/**
 * TypeORM runs no migration twice, so what was dropped after it was made would stay away. Only where a
 * log exists: else the migrations make all of it.
 *
 * @returns the tables that were missing.
 */
async function makeAgain(context: CommandContext, options: TargetOptions): Promise<string[]> {
  const target = await readTarget(options, context.host.env);
  const database = await openLogDatabase({ ...target, migrations: 'none' });
  try {
    const { dialect } = database;
    const { rows } = await database.read(dialect.existing);
    const present = new Set(rows.map(({ name }) => name));
    const indexes = AUTH_INDEXES.map(({ name }) => name);
    const wanted = [...AUTH_TABLES, ...indexes].map((name) => dialect.prefixed(name));
    if (
      !present.has(dialect.prefixed('auth_migration')) ||
      wanted.every((name) => present.has(name))
    )
      return [];
    await makeMissing(
      (sql) => database.read({ sql, values: [] }),
      dialect,
      statementsOf(dialect, Date.now()),
    );
    return AUTH_TABLES.map((name) => dialect.prefixed(name)).filter((name) => !present.has(name));
  } finally {
    await database.close();
  }
}

/** All that the migrations run, on an empty database. */
function statementsOf(dialect: Dialect, now: number): string[] {
  return [
    ...createTables(dialect, randomUUID(), now),
    createInstances(dialect),
    ...addColumns(dialect),
  ];
}
