import type { Client, ClientConfig } from 'pg';
import type { DataSourceOptions } from 'typeorm';
import { AuthWiringError, importPeer } from '../errors/auth-wiring.error.js';
import type { HintConnection, HintContext, RevocationHint } from '../options/revocation-hint.js';
import { clientConfigOf, type PostgresOptions } from './client-config.js';

/** The options of {@link postgresHint}. @publicApi */
export interface PostgresHintOptions {
  /**
   * The URL (`postgres://…`) of the connection that listens. Set it if the application uses a pooler
   * (PgBouncer, RDS Proxy): the URL must lead straight to the primary. It contains a password, so do not log
   * it.
   *
   * @default the connection options of the log
   */
  url?: string | undefined;
}

/** The part of the package `pg` that is used here. */
interface Pg {
  readonly Client: new (config: ClientConfig) => Client;
}

/**
 * Push notifications with `LISTEN` and `NOTIFY` on the PostgreSQL server that has the log. No other server is
 * needed. Each instance uses one more connection.
 *
 * A pooler in transaction mode delivers no notifications. The library notices this and logs it, and
 * `status().hint` is `'polling only'`. Pass a `url` that bypasses the pooler.
 *
 * @throws AuthWiringError if `url` is not a PostgreSQL URL; at boot if the log is not on PostgreSQL, or if
 * the package `pg` is missing.
 *
 * @see https://www.postgresql.org/docs/current/sql-notify.html
 *
 * @example
 * ```ts
 * import { postgresHint } from 'nestjs-logout/postgres';
 *
 * const options = { hint: postgresHint() };
 * ```
 * @publicApi
 */
export function postgresHint({ url }: PostgresHintOptions = {}): RevocationHint {
  if (url !== undefined && !/^postgres(ql)?:\/\//.test(url)) {
    throw new AuthWiringError(
      'postgresHint({ url }) was called with a url that is not a PostgreSQL URL.',
      'Pass postgres://user:password@host:port/database. If it comes from an environment variable, check that the variable is set.',
      'Omit it to connect as the log does.',
    );
  }
  return {
    name: 'postgres',
    whenUnheard:
      'Is there a pooler in between (PgBouncer in transaction mode)? ' +
      'Give postgresHint({ url }) straight to the primary.',
    prepare: async (log) => void (await packageFor(log)),
    connect: (context) => listen(context, url),
  };
}

/** The package `pg`: the `driver` of the application's DataSource, otherwise the installed package. */
async function packageFor(log: DataSourceOptions): Promise<Pg> {
  if (log.type !== 'postgres') {
    throw new AuthWiringError(
      `AuthModule: postgresHint() needs a log on PostgreSQL; this one is on ${log.type}.`,
      "Use redisHint({ url }) of 'nestjs-logout/redis' or natsHint({ servers }) of 'nestjs-logout/nats'.",
      'Omit hint: instances then learn of a logout by polling.',
    );
  }
  const given: unknown = log.driver;
  if (given !== undefined) return given as Pg;
  return (await importPeer('postgresHint()', 'pg', () => import('pg'))).default;
}

async function listen(context: HintContext, url: string | undefined): Promise<HintConnection> {
  const { channel } = context;
  const { Client } = await packageFor(context.log);
  const client = new Client(clientConfigOf(context.log as PostgresOptions, url));
  client.on('error', (error) => context.lost(error));
  client.on('end', () => context.lost(new Error('The connection was closed.')));
  client.on('notification', ({ payload }) => context.hear(payload ?? ''));
  try {
    await client.connect();
    // The connection must not keep a process alive that is done, such as a script.
    (client as unknown as { unref?(): void }).unref?.();
    await client.query(`LISTEN "${channel}"`);
  } catch (error) {
    cut(client);
    throw error;
  }
  return {
    // Sent on the log's connections, not on this one. Behind a pooler, this connection could receive its own
    // notifications, so the test of the connection would succeed although no other instance is reached.
    tell: (payload) => context.query('SELECT pg_notify(?, ?)', [channel, payload]),
    close: async () => cut(client),
  };
}

/** Closes the connection without waiting for an answer, because it may hang. */
function cut(client: Client): void {
  client.end().catch(() => undefined);
  (
    client as unknown as { connection?: { stream?: { destroy(): void } } }
  ).connection?.stream?.destroy();
}
