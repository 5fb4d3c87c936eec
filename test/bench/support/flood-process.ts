import { type ChildProcess, fork } from 'node:child_process';

/** A flood of texts that are no refresh tokens. */
export interface FloodSettings {
  readonly port: number;
  readonly sockets: number;
  /** `forged`: each has a valid checksum, made with the application's own key. */
  readonly shape: 'random' | 'forged';
}

/** How many answers it had, by status. */
export interface FloodTally {
  readonly answers: Record<string, number>;
}

/** The flood, in its own process, so that it does not affect the one that measures. */
export class FloodProcess {
  private constructor(private readonly child: ChildProcess) {}

  static start(settings: FloodSettings): FloodProcess {
    const child = fork(new URL('./flood-main.js', import.meta.url), [], {
      execArgv: [],
      env: { ...process.env, BENCH_FLOOD: JSON.stringify(settings) },
    });
    return new FloodProcess(child);
  }

  stop(): Promise<FloodTally> {
    return new Promise((resolve, reject) => {
      this.child.once('message', (tally) => resolve(tally as FloodTally));
      this.child.once('exit', (code) => reject(new Error(`The flood ended with ${code}.`)));
      this.child.send('stop');
    });
  }
}
