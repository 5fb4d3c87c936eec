import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { cleanEnvironment } from './shell.js';

/** An application in its own process, as a user starts it. */
export interface RunningApp {
  readonly url: string;
  stop(): Promise<void>;
}

/** How long an application may take to listen, on a busy machine (ms). */
const START_LIMIT = 60_000;

/**
 * Starts `node main.js` on a free port with its own database.
 *
 * @throws with everything the application printed, if it exits or does not listen.
 */
export async function startApp(folder: string, main: string): Promise<RunningApp> {
  const database = join(mkdtempSync(join(folder, 'data-')), 'app.sqlite');
  const child = spawn(process.execPath, [main], {
    cwd: folder,
    env: { ...cleanEnvironment(), PORT: '0', DATABASE: database },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  try {
    return { url: await addressOf(child), stop: () => end(child, ended) };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    const fail = (what: string): void => reject(new Error(`The application ${what}:\n${output}`));
    const timer = setTimeout(() => fail('did not listen in time'), START_LIMIT);
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const url = /listening on (http:\S+)/.exec(output)?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', (code) => {
      clearTimeout(timer);
      fail(`ended with code ${code}`);
    });
  });
}

async function end(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(timer);
  // Nest kills itself by the signal again once everything is closed; SIGKILL means it hung.
  if (child.signalCode === 'SIGKILL') throw new Error('The application did not shut down in 10 s.');
}
