import type { DataSource, DataSourceOptions } from 'typeorm';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { LogPlace } from '../database/open-log-database.js';
import { isDataSource, optionsOf } from '../options/data-source-option.js';
import { CommandUsageError } from './command.js';

/** The options of every command that select the log. */
export interface TargetOptions {
  /** The path of a compiled module that exports a DataSource. */
  readonly dataSource?: string | undefined;
  readonly schema?: string | undefined;
  readonly tablePrefix?: string | undefined;
  /** Prints the result as one JSON object. */
  readonly json?: boolean | undefined;
}

/**
 * Finds the database: the DataSource of `--data-source`, else `DATABASE_URL`.
 *
 * @throws CommandUsageError if neither is given, or if it is invalid.
 */
export async function readTarget(
  { dataSource, schema, tablePrefix }: TargetOptions,
  env: Readonly<Record<string, string | undefined>>,
): Promise<LogPlace> {
  if (dataSource !== undefined) {
    return { source: refuseMemory(await loadDataSource(dataSource)), schema, tablePrefix };
  }
  // The URL is no command-line option, because it contains a password, and other users of the host
  // can read the arguments of a process.
  const url = env['DATABASE_URL'];
  if (url !== undefined && url !== '') {
    return { source: refuseMemory(optionsOfUrl(url)), schema, tablePrefix };
  }
  throw new CommandUsageError(
    'Which database? Neither --data-source nor DATABASE_URL is given.',
    'Give the module that exports your DataSource, as to TypeORM’s own command: --data-source dist/data-source.js',
    'Or set DATABASE_URL to postgres://…, mysql://… (also for MariaDB) or sqlite:path.',
  );
}

/**
 * Loads a DataSource as TypeORM's own command does: the module (CommonJS or ES) exports exactly one
 * DataSource, or a promise of one, under any name.
 */
async function loadDataSource(path: string): Promise<DataSource> {
  let module: Record<string, unknown>;
  try {
    module = (await import(pathToFileURL(resolve(path)).href)) as Record<string, unknown>;
  } catch (error) {
    throw new CommandUsageError(
      `--data-source ${path} could not be loaded: ${error instanceof Error ? error.message : String(error)}`,
      'Give the compiled file (dist/data-source.js), not the TypeScript source.',
    );
  }
  // The exports of a CommonJS module are in `default`, and some of them also beside it.
  const beneath = [module['default'], module['module.exports']];
  const modules = [module, ...beneath.filter((value) => !isDataSource(value))];
  const values = await Promise.all(modules.flatMap((each) => Object.values(each ?? {})));
  const found = new Set(values.filter(isDataSource));
  const [only] = found;
  if (only !== undefined && found.size === 1) return only;
  throw new CommandUsageError(
    `--data-source ${path} exports ${found.size === 0 ? 'no' : `${found.size}`} DataSource${found.size > 1 ? 's' : ''}; it must export exactly one.`,
    'export default new DataSource({ … })',
  );
}

/** The TypeORM options for a database URL. */
function optionsOfUrl(url: string): DataSourceOptions {
  if (url.startsWith('sqlite:')) {
    const path = url.slice('sqlite:'.length);
    const isMemory = path === '' || path === ':memory:';
    return { type: 'better-sqlite3', database: isMemory ? path : resolve(path) };
  }
  if (/^postgres(ql)?:\/\//.test(url)) return { type: 'postgres', url };
  if (/^(mysql|mariadb):\/\//.test(url)) {
    return { type: 'mariadb', url: url.replace(/^mysql:/, 'mariadb:') };
  }
  // The message does not contain the value, because it may have a password.
  throw new CommandUsageError(
    'DATABASE_URL must be sqlite:path, postgres://… or mysql://… (also for MariaDB).',
  );
}

/** Refuses an in-memory SQLite database, which exists only in the process of the application. */
function refuseMemory<T extends DataSource | DataSourceOptions>(source: T): T {
  const { type, database } = optionsOf(source);
  const isMemory = type === 'better-sqlite3' && (database === ':memory:' || database === '');
  if (!isMemory) return source;
  throw new CommandUsageError(
    'An in-memory SQLite database exists only in the process of the application; no command can reach it.',
    'Give the path of a file, or another database.',
  );
}
