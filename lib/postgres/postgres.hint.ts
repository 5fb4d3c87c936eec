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
 * Hints by `LISTEN` and `NOTIFY` of the PostgreSQL that the log lives on: nothing else to run.
 *
 * It holds one connection on each instance. A pooler in transaction mode delivers no notification: the
 * hint finds that out, says so, and `status().hint` is `'polling only'` until a `url` goes around it.
 *
 * @throws AuthWiringError for a `url` that is none; at boot when the log does not live on PostgreSQL or
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
      'postgresHint({ url }): the url is none of PostgreSQL.',
      'Give postgres://user:password@host:port/database; if it comes from the environment, is it set?',
      'Leave it out to connect as the log does.',
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
      `AuthModule: postgresHint() needs a log on PostgreSQL; this one lives on ${log.type}.`,
      "Use redisHint({ url }) of 'nestjs-logout/redis' or natsHint({ servers }) of 'nestjs-logout/nats'.",
      'Leave hint out: instances then learn of a logout by polling.',
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
    // It must not keep a process alive that has nothing else to do.
    (client as unknown as { unref?(): void }).unref?.();
    await client.query(`LISTEN "${channel}"`);
  } catch (error) {
    cut(client);
    throw error;
  }
  return {
    // On the log's connections, not on this one: behind a pooler it would hear itself by accident.
    tell: (payload) => context.query('SELECT pg_notify(?, ?)', [channel, payload]),
    close: async () => cut(client),
  };
}

/** Says goodbye and does not wait for an answer: the connection may hang. */
function cut(client: Client): void {
  client.end().catch(() => undefined);
  (
    client as unknown as { connection?: { stream?: { destroy(): void } } }
  ).connection?.stream?.destroy();
}
