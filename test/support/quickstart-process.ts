import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { QuickstartClient } from './quickstart-client.js';

const MAIN = fileURLToPath(new URL('../../sample/01-quickstart/main.js', import.meta.url));
const READY = /nestjs-logout quick-start: (http:\S+)/;

type Environment = Readonly<Record<string, string>>;

/** How a process that could not start ended. */
export interface FailedStart {
  readonly code: number | null;
  readonly output: string;
}

/** The quick-start as an outsider runs it: a process of its own, reached over HTTP alone. */
export class QuickstartProcess extends QuickstartClient {
  private static readonly running = new Set<QuickstartProcess>();

  private constructor(
    private readonly child: ChildProcess,
    url: string,
    private readonly env: Environment,
    private readonly said: () => string,
  ) {
    super(url);
    QuickstartProcess.running.add(this);
  }

  /**
   * Starts it on a free port and resolves when it has printed its address.
   *
   * @param main - The quick-start of another release.
   */
  static async start(env: Environment, cwd?: string, main = MAIN): Promise<QuickstartProcess> {
    const { child, started, said } = run(env, cwd, main);
    const outcome = await started;
    if (typeof outcome === 'string') return new QuickstartProcess(child, outcome, env, said);
    throw new Error(`The quick-start ended with code ${outcome.code}:\n${outcome.output}`);
  }

  /** Starts it with settings that it must refuse, and gives what it said. */
  static async fail(env: Environment, cwd?: string): Promise<FailedStart> {
    const { child, started } = run(env, cwd);
    const outcome = await started;
    if (typeof outcome !== 'string') return outcome;
    child.kill('SIGKILL');
    throw new Error('The quick-start was expected to refuse these settings, and started.');
  }

  /** Ends every process that a test has left running. */
  static async stopAll(): Promise<void> {
    await Promise.all([...QuickstartProcess.running].map((each) => each.kill()));
  }

  /** Ends it as a deployment does, and resolves when it is gone. */
  stop(): Promise<void> {
    return this.end('SIGTERM');
  }

  /** Ends it as a power cut does. */
  kill(): Promise<void> {
    return this.end('SIGKILL');
  }

  /** The same settings again, in a new process. */
  restart(): Promise<QuickstartProcess> {
    return QuickstartProcess.start(this.env);
  }

  /** Stops the whole process at once, with its timers, as a paused container. */
  pause(): void {
    this.child.kill('SIGSTOP');
  }

  /** Lets it go on as if no time had passed. */
  resume(): void {
    this.child.kill('SIGCONT');
  }

  /** How it ended, if it did by itself, and the last that it said. */
  get ending(): string | undefined {
    const { exitCode, signalCode } = this.child;
    if (!QuickstartProcess.running.has(this) || (exitCode ?? signalCode) === null) return undefined;
    const errors = this.said()
      .split('\n')
      .filter((line) => /error/i.test(line));
    return `ended with ${exitCode ?? signalCode}: ${errors.slice(-8).join(' | ').slice(-600)}`;
  }

  /** Sends it a signal that ends nothing; what it means, a preload has settled. */
  signal(signal: 'SIGWINCH'): void {
    this.child.kill(signal);
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    QuickstartProcess.running.delete(this);
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill(signal);
    await gone;
  }
}

function run(
  env: Environment,
  cwd?: string,
  main = MAIN,
): { child: ChildProcess; started: Promise<string | FailedStart>; said: () => string } {
  // Most of such a process is its start, and that collects garbage less often so.
  const child = spawn(process.execPath, ['--max-semi-space-size=32', main], {
    env: { PATH: process.env['PATH'] ?? '', PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  });
  let output = '';
  const started = new Promise<string | FailedStart>((resolve, reject) => {
    const hear = (bytes: Buffer): void => {
      output += bytes.toString();
      const url = READY.exec(output)?.[1];
      if (url !== undefined) resolve(url);
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.once('close', (code) => resolve({ code, output }));
    child.once('error', reject);
  });
  return { child, started, said: () => output };
}
