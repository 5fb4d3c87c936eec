import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchOnce } from '../support/fetch-once.js';

const MAIN = fileURLToPath(new URL('../../sample/02-cluster/main.js', import.meta.url));
const READY = /nestjs-logout cluster: (http:\S+)/;

/** `sample/02-cluster` as its one command starts it, with its own folder for its database. */
export class ClusterSampleProcess {
  private constructor(
    readonly url: string,
    private readonly child: ChildProcess,
    private readonly closed: Promise<unknown>,
    private readonly folder: string,
  ) {}

  /** Starts it on a free port and resolves when it has printed its address. */
  static async start(env: Readonly<Record<string, string>>): Promise<ClusterSampleProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'nestjs-logout-sample-'));
    // If the tests run as root, PostgreSQL runs as another user.
    chmodSync(folder, 0o755);
    const child = spawn(process.execPath, [MAIN], {
      env: { PATH: process.env['PATH'] ?? '', PORT: '0', TMPDIR: folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const closed = once(child, 'close');
    let output = '';
    const url = await new Promise<string>((resolve, reject) => {
      const hear = (bytes: Buffer): void => {
        output += bytes.toString();
        const address = READY.exec(output)?.[1];
        if (address !== undefined) resolve(address);
      };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
      child.once('close', () => reject(new Error(`The sample ended:\n${output}`)));
    });
    return new ClusterSampleProcess(url, child, closed, folder);
  }

  /** The state of the three instances that the page gets. */
  async instances(): Promise<readonly { readonly pid: number; readonly state: string }[]> {
    const { body } = await fetch(`${this.url}/ticks`);
    let heard = '';
    for await (const bytes of body ?? []) {
      heard += Buffer.from(bytes as Uint8Array).toString();
      const data = /^data: (.*)\n/m.exec(heard)?.[1];
      if (data === undefined) continue;
      return (JSON.parse(data) as { instances: { pid: number; state: string }[] }).instances;
    }
    throw new Error('The stream ended before it sent anything.');
  }

  /** The status of a press on a button, by this page or by one of another origin. */
  async press(path: string, origin = this.url): Promise<number> {
    const headers: Record<string, string> = origin === '' ? {} : { origin };
    return (await fetchOnce(`${this.url}/${path}`, { method: 'POST', headers })).status;
  }

  /**
   * Stops it, and resolves when no process holds its output any more: neither it nor its keeper.
   */
  async end(signal: NodeJS.Signals): Promise<void> {
    this.child.kill(signal);
    await this.closed;
  }

  /** The files of its database. */
  leftOnDisk(): string[] {
    return readdirSync(this.folder);
  }

  removeFolder(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Whether a process still runs, or could; one that only waits to be fetched does not. */
export function isAlive(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  const state = stdout.trim();
  return state !== '' && !state.startsWith('Z');
}
