import type { DataSource } from 'typeorm';

/** What is used of pg's client and its pool. */
interface PgClient {
  on(event: 'error', listener: () => void): unknown;
}
interface PgPool {
  on(event: 'acquire', listener: (client: PgClient) => void): unknown;
}

/**
 * Keeps a dying PostgreSQL from taking the process with it.
 *
 * pg hands a client out with nobody listening to its errors, and TypeORM listens a tick later. A server
 * that is being killed can say so in the same piece of bytes as its greeting: an `error` event without
 * a listener, which ends the process. With this listener the client's next statement fails instead, as
 * for any other broken connection.
 */
export function surviveDyingClients(dataSource: DataSource): void {
  if (dataSource.options.type !== 'postgres') return;
  const { master } = dataSource.driver as unknown as { master: PgPool };
  const known = new WeakSet<PgClient>();
  master.on('acquire', (client) => {
    if (known.has(client)) return;
    known.add(client);
    client.on('error', () => undefined);
  });
}
