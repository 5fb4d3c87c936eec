import { PassThrough, Writable } from 'node:stream';
import type { AuthClock } from 'nestjs-logout';
import type { TestDatabase } from './databases.js';
import { openLogDatabase, runCommand } from './internals.js';

/** The result of one run of the command. */
export interface CommandRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a run may have besides its arguments. */
export interface RunSettings {
  readonly clock?: AuthClock;
  readonly env?: Readonly<Record<string, string>>;
  /** What is piped into it. */
  readonly stdin?: string;
}

/** Runs the command in this process, without a terminal, on this database. */
export async function run(
  database: TestDatabase | undefined,
  words: string,
  { clock, env, stdin }: RunSettings = {},
): Promise<CommandRun> {
  const [stdout, stderr] = [new Ear(), new Ear()];
  const code = await runCommand(words === '' ? [] : words.split(' '), {
    stdout,
    stderr,
    stdin: stdin === undefined ? new PassThrough() : new PassThrough().end(stdin),
    env: { ...(database === undefined ? {} : { DATABASE_URL: database.url }), ...env },
    clock,
  });
  return { code, stdout: stdout.heard, stderr: stderr.heard };
}

/** The same with --json, and what it printed. */
export async function runJson<T>(
  database: TestDatabase,
  words: string,
  settings?: RunSettings,
): Promise<T & { readonly code: number }> {
  const { code, stdout } = await run(database, `${words} --json`, settings);
  return { ...(JSON.parse(stdout) as T), code };
}

/** Creates the tables, and nothing else. */
export async function makeTables({ options }: TestDatabase): Promise<void> {
  const log = await openLogDatabase({ source: options, schema: undefined, migrations: 'run' });
  await log.close();
}

/** What the doctor finds, except that the shared server of the tests has no fsync. */
export async function findingsOf(database: TestDatabase): Promise<readonly string[]> {
  const { findings } = await runJson<{ findings: { what: string }[] }>(database, 'doctor');
  return findings.map(({ what }) => what).filter((what) => !what.startsWith('fsync is off'));
}

class Ear extends Writable {
  heard = '';

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.heard += chunk.toString();
    done();
  }
}
