import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { TestDatabase } from './databases.js';

const PROGRAM = '/usr/sbin/pgbouncer';

/** Whether Debian's package is installed. */
export const hasPgBouncer = existsSync(PROGRAM);

/** A PgBouncer in transaction mode in front of one database. */
export class PgBouncer {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    /** The same database, reached through it. */
    readonly through: TestDatabase,
  ) {}

  /** Starts one on a free port; as another user where we are root, which it refuses to be. */
  static async before(database: TestDatabase): Promise<PgBouncer> {
    const server = new URL(database.url);
    const name = server.pathname.slice(1);
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'nestjs-logout-bouncer-'));
    chmodSync(folder, 0o755);
    const config = join(folder, 'pgbouncer.ini');
    // Nobody can keep anything in a session: each transaction may get another connection.
    writeFileSync(
      config,
      `[databases]
${name} = host=${server.hostname} port=${server.port} dbname=${name} user=${server.username} password=${server.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
max_client_conn = 200
`,
    );
    const asRoot = process.getuid?.() === 0;
    const child = spawn(PROGRAM, [...(asRoot ? ['-u', 'postgres'] : []), config], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let output = '';
    child.stderr?.on('data', (bytes: Buffer) => (output += bytes.toString()));
    const url = new URL(database.url);
    url.host = `127.0.0.1:${port}`;
    const through: TestDatabase = {
      url: url.href,
      options: { type: 'postgres', url: url.href },
      drop: () => database.drop(),
    };
    while (!(await answers(port))) {
      if (child.exitCode !== null) throw new Error(`PgBouncer ended: ${output}`);
      await setTimeout(20);
    }
    return new PgBouncer(child, folder, through);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const gone = once(this.child, 'exit');
      this.child.kill('SIGQUIT');
      await gone;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
