import type { DataSource } from 'typeorm';
import type { Dialect } from './dialect.js';
import { mysqlDialect } from './mysql.dialect.js';
import { postgresDialect } from './postgres.dialect.js';
import { sqliteDialect } from './sqlite.dialect.js';

/** The TypeORM driver types that are supported. */
export const SUPPORTED_TYPES = ['postgres', 'mysql', 'mariadb', 'better-sqlite3'] as const;

/** The schema and prefix of the library's tables, as in the options of `AuthModule.forRoot()`. */
export interface TableNames {
  readonly schema?: string | undefined;
  readonly tablePrefix?: string | undefined;
}

/**
 * The dialect of an initialized DataSource. Without a `schema`, it is the default schema of the DataSource.
 */
export function dialectOf(
  dataSource: DataSource,
  { schema, tablePrefix }: TableNames = {},
): Dialect {
  const { options, driver } = dataSource;
  if (options.type === 'postgres') {
    return postgresDialect(schema ?? options.schema ?? driver.schema ?? 'public', tablePrefix);
  }
  if (options.type === 'mysql' || options.type === 'mariadb') {
    return mysqlDialect(driver.database ?? options.database ?? '', tablePrefix);
  }
  return sqliteDialect(tablePrefix);
}
