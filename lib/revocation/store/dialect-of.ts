import type { DataSource } from 'typeorm';
import type { Dialect } from './dialect.js';
import { mysqlDialect } from './mysql.dialect.js';
import { postgresDialect } from './postgres.dialect.js';
import { sqliteDialect } from './sqlite.dialect.js';

/** The TypeORM driver types that the log can live on. */
export const SUPPORTED_TYPES = ['postgres', 'mysql', 'mariadb', 'better-sqlite3'] as const;

/** The dialect of an initialised DataSource; `schema` was resolved at boot where it was not given. */
export function dialectOf(dataSource: DataSource, schema?: string): Dialect {
  const { options, driver } = dataSource;
  if (options.type === 'postgres') {
    return postgresDialect(schema ?? options.schema ?? driver.schema ?? 'public');
  }
  if (options.type === 'mysql' || options.type === 'mariadb') {
    return mysqlDialect(driver.database ?? options.database ?? '');
  }
  return sqliteDialect();
}
