import type { DataSource, DataSourceOptions } from 'typeorm';
import { wrongKind } from './option-checks.js';

const BRAND = Symbol.for('DataSource');

/**
 * Whether it is a DataSource, by TypeORM's own brand. `instanceof` would fail for a DataSource of another
 * copy of TypeORM.
 */
export function isDataSource(given: unknown): given is DataSource {
  return memberOf(given, '@instanceof') === BRAND;
}

/** The connection options of a DataSource, or the given options themselves. */
export function optionsOf(source: DataSource | DataSourceOptions): DataSourceOptions {
  return isDataSource(source) ? source.options : source;
}

/** Checks the option `dataSource`: a name, a DataSource, or options for one. */
export function dataSource(
  given: unknown,
  path: string,
): string | DataSource | DataSourceOptions | undefined {
  if (given === undefined || isDataSource(given)) return given;
  if (typeof given === 'string' && given !== '' && !given.includes('://')) return given;
  const type = memberOf(given, 'type');
  if (typeof type === 'string' && type !== '') return given as DataSourceOptions;
  // Only the kind is shown, because a URL may contain the password of the database.
  throw wrongKind(
    path,
    given,
    "Give the name of a DataSource, a DataSource, or options such as { type: 'postgres', url }.",
  );
}

function memberOf(given: unknown, name: string): unknown {
  return typeof given === 'object' && given !== null ? Reflect.get(given, name) : undefined;
}
