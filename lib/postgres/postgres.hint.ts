import type { Client, ClientConfig } from 'pg';
import type { DataSourceOptions } from 'typeorm';
import { AuthWiringError, importPeer } from '../errors/auth-wiring.error.js';
import type { HintConnection, HintContext, RevocationHint } from '../options/revocation-hint.js';
import { clientConfigOf, type PostgresOptions } from './client-config.js';

/** What {@link postgresHint} takes. @publicApi */
export interface PostgresHintOptions {
  /**
   * `postgres://…` of the connection that listens: straight to the primary, for an application that
   * reaches it through a pooler (PgBouncer, RDS Proxy). It holds a password.
   *
   * @default as the log itself connects
   */
  url?: string | undefined;
}

/** What of the package `pg` is used. */
interface Pg {
  readonly Client: new (config: ClientConfig) => Client;
}

/**
 * Push notifications by `LISTEN` and `NOTIFY` on the PostgreSQL that has the log: no other server is needed.
 *
 * It keeps one connection for each instance. A pooler in transaction mode delivers no notifications. This
 * is noticed and logged, and `status().hint` is `'polling only'`. Give a `url` that goes around the pooler.
 *
 * @throws AuthWiringError for a `url` that is not one of PostgreSQL; at boot when the log is not on
 * PostgreSQL or the package `pg` is missing.
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

/** The application's own `pg` where it gave one to TypeORM. */
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
    // It must not keep a process running that has nothing else to do.
    (client as unknown as { unref?(): void }).unref?.();
    await client.query(`LISTEN "${channel}"`);
  } catch (error) {
    cut(client);
    throw error;
  }
  return {
    // On the log's connections: behind a pooler this one could receive its own, and look as if it worked.
    tell: (payload) => context.query('SELECT pg_notify(?, ?)', [channel, payload]),
    close: async () => cut(client),
  };
}

/** Closes the connection without waiting for an answer: it may hang. */
function cut(client: Client): void {
  client.end().catch(() => undefined);
  (
    client as unknown as { connection?: { stream?: { destroy(): void } } }
  ).connection?.stream?.destroy();
}
