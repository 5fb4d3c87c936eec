import type { ClientConfig } from 'pg';
import type { DataSourceOptions } from 'typeorm';

/** TypeORM's options of a PostgreSQL. */
export type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;

/** For how long a connection is waited for (ms). */
const CONNECT_LIMIT = 3_000;

/**
 * The options of one client of `pg`, from those of the log as TypeORM reads them.
 *
 * @param url - Another way to the same database; TLS stays as the log has it, unless the URL says.
 */
export function clientConfigOf(log: PostgresOptions, url: string | undefined): ClientConfig {
  const own: ClientConfig =
    url === undefined
      ? defined({
          connectionString: log.url,
          host: log.host,
          port: log.port,
          user: log.username,
          password: log.password,
          database: log.database,
        })
      : { connectionString: url };
  return {
    ...(log.extra as ClientConfig | undefined),
    ...own,
    ...defined({ ssl: log.ssl }),
    connectionTimeoutMillis: CONNECT_LIMIT,
    keepAlive: true,
    application_name: 'nestjs-logout hint',
  };
}

function defined(fields: Readonly<Record<string, unknown>>): ClientConfig {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
