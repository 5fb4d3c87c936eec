import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.js';

const READY = /ready for connections/;
const HOST = '127.0.0.1';

/** As Debian sets it up. */
const SETTINGS = [
  `--bind-address=${HOST}`,
  '--max-connections=300',
  '--character-set-server=utf8mb4',
  '--collation-server=utf8mb4_general_ci',
];

/** Only a power cut could lose what it has committed. */
const WITHOUT_DISK = ['--innodb-flush-method=nosync', '--debug-no-sync', '--skip-sync-frm'];

/** The MariaDB that the tests of one run share. Its files are deleted with it. */
export class MariaDbServer {
  private constructor(
    private readonly child: ChildProcess,
    private readonly directory: string,
    /** Its address. */
    readonly url: string,
  ) {
    process.once('exit', this.killAtExit);
  }

  /** Whether this machine has its programs. */
  static readonly isInstalled = [installer(), daemon()].every((path) => path !== undefined);

  /**
   * Creates the files of a new server, starts it, and resolves when it accepts connections.
   *
   * @param isDurable - It waits for the disk, as by default: for benchmarks that measure it.
   */
  static async start({ isDurable = false } = {}): Promise<MariaDbServer> {
    const directory = mkdtempSync(join(tmpdir(), 'nestjs-logout-mariadb-'));
    const port = await freePort();
    const common = [
      '--no-defaults',
      `--datadir=${join(directory, 'data')}`,
      // Another server that starts meanwhile tidies up /tmp.
      `--tmpdir=${directory}`,
      ...(process.getuid?.() === 0 ? ['--user=root'] : []),
    ];
    await promisify(execFile)(installer() ?? '', [
      ...common,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
    ]);
    const child = spawn(
      daemon() ?? '',
      [
        ...common,
        `--port=${port}`,
        `--socket=${join(directory, 'socket')}`,
        ...SETTINGS,
        ...(isDurable ? [] : WITHOUT_DISK),
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const server = new MariaDbServer(child, directory, `mysql://root@${HOST}:${port}`);
    try {
      await server.ready();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** Stops it and deletes its files. */
  async stop(): Promise<void> {
    process.off('exit', this.killAtExit);
    const { child } = this;
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 20 });
  }

  private ready(): Promise<void> {
    const { child } = this;
    let said = '';
    return new Promise((resolve, reject) => {
      child.stderr?.on('data', (bytes: Buffer) => {
        if (READY.test(said)) return; // it must be read to its end, or the server waits
        said += bytes.toString();
        if (READY.test(said)) resolve();
      });
      child.once('error', reject);
      child.once('close', () => reject(new Error(`MariaDB did not start:\n${said}`)));
    });
  }

  private readonly killAtExit = (): void => {
    this.child.kill('SIGKILL');
  };
}

function installer(): string | undefined {
  return program('mariadb-install-db');
}

function daemon(): string | undefined {
  return program('mariadbd');
}

function program(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
