import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { DataSourceOptions } from 'typeorm';
import type { Act, Boot } from './acts.js';

const ATTEMPTS = 3;

/** What a process is started with. */
export interface BuildSettings {
  /** The entry of the compiled library. */
  readonly entry: string;
  readonly dataSource: DataSourceOptions;
}

/** One build in its own process, which runs the acts it is sent and reports its CPU time. */
export class BuildProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly boot: Boot,
  ) {}

  /** Resolves when the log is loaded. */
  static async start(settings: BuildSettings): Promise<BuildProcess> {
    const child = fork(new URL('./build-main.js', import.meta.url), [], {
      execArgv: ['--expose-gc'],
      env: { ...process.env, BENCH_GATE: JSON.stringify(settings) },
    });
    return new BuildProcess(child, await answerOf<Boot>(child));
  }

  /** Does this so often and resolves with the CPU time of the process (ms). */
  async run(act: Act, count: number): Promise<number> {
    // On a busy machine a time limit of the library may end a block; it is measured anew.
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      this.child.send({ act, count });
      const cpu = await answerOf<number | null>(this.child);
      if (cpu !== null) return cpu;
    }
    throw new Error(`"${act}" failed ${ATTEMPTS} times in one process.`);
  }

  async stop(): Promise<void> {
    const gone = once(this.child, 'exit');
    this.child.disconnect();
    await gone;
  }
}

function answerOf<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void =>
      reject(new Error(`A process of the gate ended with ${code}.`));
    child.once('exit', onExit);
    child.once('message', (answer) => {
      child.off('exit', onExit);
      resolve(answer as T);
    });
  });
}
