import { randomBytes } from 'node:crypto';
import { DataSource, type DataSourceOptions } from 'typeorm';

/** How TypeORM connects to a server, by its address. */
export function optionsOfServer(url: string): DataSourceOptions {
  return url.startsWith('postgres')
    ? { type: 'postgres', url }
    : { type: 'mariadb', url: url.replace(/^mysql:/, 'mariadb:') };
}

/** A new name that identifies what this run creates. */
export function newName(): string {
  return `${namesOfRun()}${randomBytes(6).toString('hex')}`;
}

/** Runs statements on its own connection and returns the rows of the last one. */
export async function withServer<T>(
  options: DataSourceOptions,
  statements: readonly string[],
): Promise<T[]> {
  const dataSource = await new DataSource(options).initialize();
  try {
    let found: T[] = [];
    for (const statement of statements) found = (await dataSource.query(statement)) as T[];
    return found;
  } finally {
    await dataSource.destroy();
  }
}

/** Deletes the databases that this run created on a server that outlives it. */
export async function dropLeftOvers(url: string): Promise<void> {
  const options = optionsOfServer(url);
  const isPostgres = options.type === 'postgres';
  const catalog = isPostgres
    ? 'SELECT datname AS name FROM pg_database'
    : 'SELECT schema_name AS name FROM information_schema.schemata';
  const names = await withServer<{ name: string }>(options, [catalog]);
  const own = names.map(({ name }) => name).filter((name) => name.startsWith(namesOfRun()));
  const force = isPostgres ? ' WITH (FORCE)' : '';
  await withServer(
    options,
    own.map((name) => `DROP DATABASE IF EXISTS ${name}${force}`),
  );
}

function namesOfRun(): string {
  return `logout_${process.env['TEST_RUN'] ?? process.pid}_`;
}
