import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { HintName } from './bench-hints.js';

/** Seconds of {@link InstanceSettings.maxStaleness} that the route `/tight` tolerates. */
export const TIGHT = 1;

/** How an instance is to run. */
export interface InstanceSettings {
  readonly url: string;
  /** Seconds. */
  readonly maxStaleness: number;
  readonly hint?: HintName | undefined;
}

/**
 * An application with our module in a process of its own: `GET /me`, `GET /tight`, the event stream
 * `GET /open`, `POST /logout`, and the routes of the option `http`, where any password will do.
 */
export class InstanceProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {}

  /** Resolves when it answers, and receives push notifications if configured. */
  static async start(settings: InstanceSettings): Promise<InstanceProcess> {
    const child = fork(new URL('./instance-main.js', import.meta.url), [], {
      execArgv: [],
      env: { ...process.env, BENCH_INSTANCE: JSON.stringify(settings) },
    });
    const port = await new Promise<number>((resolve, reject) => {
      child.once('message', (message) => resolve((message as { port: number }).port));
      child.once('exit', (code) => reject(new Error(`An instance ended with ${code}.`)));
    });
    return new InstanceProcess(child, port);
  }

  async stop(): Promise<void> {
    const gone = once(this.child, 'exit');
    this.child.disconnect();
    await gone;
  }
}
