import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** A crowd of instances in one process. */
export interface FeedsSettings {
  readonly url: string;
  readonly count: number;
  /** Whether each listens to PostgreSQL's notifications. */
  readonly hint: boolean;
}

/** The settings that the process gets. */
export type FeedsCommand = 'pause' | 'resume' | 'count fresh';

/** Many whole instances without HTTP in their own process, which can hold still together. */
export class FeedsProcess {
  private constructor(private readonly child: ChildProcess) {}

  /** Resolves when all of them follow the log. */
  static async start(settings: FeedsSettings): Promise<FeedsProcess> {
    const child = fork(new URL('./feeds-main.js', import.meta.url), [], {
      execArgv: [],
      env: { ...process.env, BENCH_FEEDS: JSON.stringify(settings) },
    });
    await answerOf(child);
    return new FeedsProcess(child);
  }

  /** Stops polls and push notifications; their connections stay. */
  async pause(): Promise<void> {
    await this.tell('pause');
  }

  /** They continue, each at its own moment within one interval between polls. */
  async resume(): Promise<void> {
    await this.tell('resume');
  }

  /**
   * How many of them could decide a request now without waiting, and receive push notifications if
   * configured.
   */
  countFresh(): Promise<number> {
    return this.tell('count fresh');
  }

  async stop(): Promise<void> {
    const gone = once(this.child, 'exit');
    this.child.disconnect();
    await gone;
  }

  private tell(command: FeedsCommand): Promise<number> {
    const answer = answerOf(this.child);
    this.child.send(command);
    return answer;
  }
}

function answerOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void =>
      reject(new Error(`The instances ended with ${code}.`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      resolve(message as number);
    });
  });
}
