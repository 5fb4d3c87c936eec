import type { DataSource, DataSourceOptions } from 'typeorm';
import { wrongKind } from './option-checks.js';

const BRAND = Symbol.for('DataSource');

/** By TypeORM's own brand, so that a second copy of the package does not hide a DataSource. */
export function isDataSource(given: unknown): given is DataSource {
  return memberOf(given, '@instanceof') === BRAND;
}

/** The options of a database, however it was given. */
export function optionsOf(source: DataSource | DataSourceOptions): DataSourceOptions {
  return isDataSource(source) ? source.options : source;
}

/** The option `dataSource`: a name, a DataSource, or options for one. */
export function dataSource(
  given: unknown,
  path: string,
): string | DataSource | DataSourceOptions | undefined {
  if (given === undefined || isDataSource(given)) return given;
  if (typeof given === 'string' && given !== '' && !given.includes('://')) return given;
  const type = memberOf(given, 'type');
  if (typeof type === 'string' && type !== '') return given as DataSourceOptions;
  // By kind only: a URL holds the database's password.
  throw wrongKind(
    path,
    given,
    "Give the name of a DataSource, a DataSource, or options such as { type: 'postgres', url }.",
  );
}

function memberOf(given: unknown, name: string): unknown {
  return typeof given === 'object' && given !== null ? Reflect.get(given, name) : undefined;
}
