import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { dropLeftOvers } from './database-server.js';
import { fastFolder } from './fast-folder.js';
import { MariaDbServer } from './mariadb-server.js';
import { makeTemplates } from './migrated-templates.js';
import { startSharedPostgres } from './shared-postgres.js';

declare global {
  var stopTestServers: (() => Promise<void>) | undefined;
}

/**
 * Starts the PostgreSQL and the MariaDB that all test files share, each with its own database, and
 * checks whether a Redis, a NATS and a RabbitMQ run. `TEST_POSTGRES_URL` and `MARIADB_URL` name
 * servers to use instead. Tests of a server that is missing are skipped by name.
 */
export default async function globalSetup(): Promise<void> {
  process.env['TEST_RUN'] ??= randomBytes(4).toString('hex');
  const [stopPostgres, stopMariaDb] = await Promise.all([
    startPostgres(),
    startMariaDb(),
    look('REDIS_URL', 'redis://127.0.0.1:6379'),
    look('NATS_URL', 'nats://127.0.0.1:4222'),
    look('RABBITMQ_URL', 'amqp://127.0.0.1:5672'),
  ]);
  const removeFiles = makeFolder();
  await makeTemplates();
  globalThis.stopTestServers = async () => {
    await Promise.all([stopPostgres(), stopMariaDb(), removeFiles()]);
  };
}

type Stop = () => Promise<void>;

/** Where the SQLite files of this run are. */
function makeFolder(): Stop {
  if (process.env['TEST_FILES'] !== undefined) return async () => undefined;
  const folder = mkdtempSync(join(fastFolder(), 'nestjs-logout-'));
  process.env['TEST_FILES'] = folder;
  return async () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

async function startPostgres(): Promise<Stop> {
  const given = process.env['TEST_POSTGRES_URL'];
  if (given !== undefined) return () => dropLeftOvers(`${given}/postgres`);
  const { url, stop } = await startSharedPostgres({ isDurable: false });
  process.env['TEST_POSTGRES_URL'] = url;
  return stop;
}

async function startMariaDb(): Promise<Stop> {
  const running = process.env['TEST_MARIADB_URL'];
  if (running !== undefined) return () => dropLeftOvers(running);
  const given = process.env['MARIADB_URL'];
  if (given === undefined && MariaDbServer.isInstalled) {
    const server = await MariaDbServer.start();
    process.env['TEST_MARIADB_URL'] = server.url;
    return () => server.stop();
  }
  const url = given ?? 'mysql://root@127.0.0.1:3306';
  try {
    const connection = await createConnection({ uri: url.replace(/^mariadb:/, 'mysql:') });
    await connection.end();
  } catch {
    console.warn('No MariaDB answers; its tests are skipped.');
    return async () => undefined;
  }
  process.env['TEST_MARIADB_URL'] = url;
  return () => dropLeftOvers(url);
}

/** Sets `TEST_…` to the address of a server that accepts connections. */
async function look(name: string, usual: string): Promise<void> {
  const given = process.env[name] ?? usual;
  const { hostname, port } = new URL(given);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, 'connect');
    process.env[`TEST_${name}`] = given;
  } catch {
    console.warn(`No server answers at ${hostname}:${port} (${name}); its tests are skipped.`);
  } finally {
    socket.destroy();
  }
}
