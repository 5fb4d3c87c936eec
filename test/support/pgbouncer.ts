import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { TestDatabase } from './databases.js';
import { freePort } from './free-port.js';

const PROGRAM = '/usr/sbin/pgbouncer';

/** Whether Debian's package is installed. */
export const hasPgBouncer = existsSync(PROGRAM);

/** PgBouncer in transaction mode in front of one database. */
export class PgBouncer {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    /** The same database, through the pooler. */
    readonly through: TestDatabase,
  ) {}

  static async before(database: TestDatabase): Promise<PgBouncer> {
    const folder = mkdtempSync(join(tmpdir(), 'nestjs-logout-pgbouncer-'));
    chmodSync(folder, 0o755);
    const port = await freePort();
    const url = new URL(database.url);
    const name = url.pathname.slice(1);
    const config = join(folder, 'pgbouncer.ini');
    writeFileSync(
      config,
      `[databases]\n${name} = host=${url.hostname} port=${url.port} user=${url.username} password=${url.password}\n` +
        `[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}\nunix_socket_dir =\n` +
        `auth_type = any\npool_mode = transaction\ndefault_pool_size = 10\n` +
        `ignore_startup_parameters = extra_float_digits,options\n`,
      { mode: 0o644 },
    );
    const asRoot = process.getuid?.() === 0 ? ['-u', 'postgres'] : [];
    const child = spawn(PROGRAM, [...asRoot, '-q', config], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let output = '';
    child.stderr?.on('data', (bytes: Buffer) => (output += bytes.toString()));
    url.host = `127.0.0.1:${port}`;
    const through: TestDatabase = {
      url: url.href,
      options: { type: 'postgres', url: url.href },
      drop: () => database.drop(),
    };
    while (!(await listens(port))) {
      if (child.exitCode !== null) throw new Error(`PgBouncer did not start:\n${output}`);
      await setTimeout(20);
    }
    return new PgBouncer(child, folder, through);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null) {
      const gone = once(this.child, 'exit');
      this.child.kill('SIGKILL');
      await gone;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
