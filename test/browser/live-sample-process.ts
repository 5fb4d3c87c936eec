import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort } from '../support/free-port.js';

const MAIN = fileURLToPath(new URL('../../sample/03-live/main.js', import.meta.url));
const READY = /nestjs-logout live: (http:\S+)/;

/** `sample/03-live` as its one command starts it. */
export class LiveSampleProcess {
  private constructor(
    readonly url: string,
    private readonly child: ChildProcess,
  ) {}

  /** Starts it on free ports and resolves when it has printed its address. */
  static async start(env: Readonly<Record<string, string>> = {}): Promise<LiveSampleProcess> {
    const ports = { PORT: '0', MESSAGES_PORT: String(await freePort()) };
    const child = spawn(process.execPath, [MAIN], {
      env: { PATH: process.env['PATH'] ?? '', ...ports, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
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
    return new LiveSampleProcess(url, child);
  }

  /** Stops it as Ctrl-C does, and resolves when it is gone. */
  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGINT');
    await gone;
  }
}
