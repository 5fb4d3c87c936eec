import type { ClientConfig } from 'pg';
import type { DataSourceOptions } from 'typeorm';

/** TypeORM's options for PostgreSQL. */
export type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;

/** How long to wait for a connection (ms). */
const CONNECT_LIMIT = 3_000;

/**
 * The options of one `pg` client, made from TypeORM's options of the log.
 *
 * @param url - Another address of the same database. The TLS options are those of the log, unless the URL has
 * its own (`sslmode`).
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
