import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { KeeperAnswer, KeeperOrder } from './keeper-orders.js';

const KEEPER = fileURLToPath(new URL('./keeper.js', import.meta.url));

/** The sample's end of the keeper, which owns the database and outlives everything else. */
export class KeeperProcess {
  private readonly child: ChildProcess;
  private readonly guarded = new Set<number>();
  private isEnding = false;

  constructor() {
    // In a session of its own: Ctrl-C in the terminal is for the sample alone.
    this.child = fork(KEEPER, { detached: true, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.child.once('exit', () => {
      if (!this.isEnding) this.lost();
    });
  }

  /** Starts a PostgreSQL of its own and returns its address. */
  async startDatabase(): Promise<string> {
    const heard = once(this.child, 'message') as Promise<[KeeperAnswer]>;
    this.send({ database: 'start' });
    const [answer] = await heard;
    if ('url' in answer) return answer.url;
    throw new Error(`PostgreSQL could not be started: ${answer.error}`);
  }

  /** When the sample is gone, this process stops too. */
  guard(pid: number): void {
    this.guarded.add(pid);
    this.send({ guard: pid });
  }

  release(pid: number): void {
    this.guarded.delete(pid);
    this.send({ release: pid });
  }

  /** Ends the instances and the database, and resolves when they are gone. */
  async end(): Promise<void> {
    this.isEnding = true;
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    if (this.child.connected) this.child.disconnect();
    await gone;
  }

  /** The keeper was killed. Nothing may keep running that no process cleans up. */
  private lost(): never {
    for (const pid of this.guarded) process.kill(pid, 'SIGKILL');
    console.error('The keeper of the database is gone. Its PostgreSQL may still run.');
    process.exit(1);
  }

  private send(order: KeeperOrder): void {
    if (this.child.connected) this.child.send(order);
  }
}
