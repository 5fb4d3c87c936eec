import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { QuickstartClient } from './quickstart-client.js';

const MAIN = fileURLToPath(new URL('../../sample/01-quickstart/main.js', import.meta.url));
const READY = /nestjs-logout quick-start: (http:\S+)/;

type Environment = Readonly<Record<string, string>>;

/** How a process that could not start exited. */
export interface FailedStart {
  readonly code: number | null;
  readonly output: string;
}

/** The quick-start as an external client sees it: its own process, reached over HTTP alone. */
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

  /** Starts it with settings that it must refuse, and returns its output. */
  static async fail(env: Environment, cwd?: string): Promise<FailedStart> {
    const { child, started } = run(env, cwd);
    const outcome = await started;
    if (typeof outcome !== 'string') return outcome;
    child.kill('SIGKILL');
    throw new Error('The quick-start was expected to refuse these settings, and started.');
  }

  /** Stops every process that a test has left running. */
  static async stopAll(): Promise<void> {
    await Promise.all([...QuickstartProcess.running].map((each) => each.kill()));
  }

  /** Stops it as a deployment does, and resolves when it is gone. */
  stop(): Promise<void> {
    return this.end('SIGTERM');
  }

  /** Kills it as a power cut does. */
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

  /** Continues it as if no time had passed. */
  resume(): void {
    this.child.kill('SIGCONT');
  }

  /** How it exited, if it did so by itself, and the end of its output. */
  get ending(): string | undefined {
    const { exitCode, signalCode } = this.child;
    if (!QuickstartProcess.running.has(this) || (exitCode ?? signalCode) === null) return undefined;
    const errors = this.said()
      .split('\n')
      .filter((line) => /error/i.test(line));
    return `ended with ${exitCode ?? signalCode}: ${errors.slice(-8).join(' | ').slice(-600)}`;
  }

  /** Sends it a signal that does not end it; a preload has defined its meaning. */
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
  // Such a process mostly starts up, and this setting makes it collect garbage less often.
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
