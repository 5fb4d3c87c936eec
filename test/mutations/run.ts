import { fork, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { dropLeftOvers } from '../support/database-server.js';
import globalSetup from '../support/global-setup.js';
import globalTeardown from '../support/global-teardown.js';
import type { Outcome } from './first-red.reporter.js';
import type { Mutation } from './mutation.js';
import { MUTATIONS } from './mutations.js';

/*
 * Breaks one mechanism after another in the compiled library and checks whether a test fails.
 *
 * It reports which test, and exits with code 1 if a mutation survived: a promise whose mechanism
 * can be broken silently has no test.
 */

/** Tests in this process load the first, processes that tests start load the second. */
const libraries = ['../../lib', '../../../dist'].map((path) => resolve(import.meta.dirname, path));
const reporter = resolve(import.meta.dirname, 'first-red.reporter.js');
const folder = mkdtempSync(join(tmpdir(), 'nestjs-logout-mutations-'));
/** A part of a name, or `--part 1/2` for every second one: two checkouts share the work. */
const { values, positionals } = parseArgs({
  options: { part: { type: 'string', default: '1/1' } },
  allowPositionals: true,
});
const only = positionals[0] ?? '';
const [part, parts] = values.part.split('/').map(Number) as [number, number];
const chosen = MUTATIONS.filter(({ name }) => name.includes(only)).filter(
  (_, i) => i % parts === part - 1,
);
if (chosen.length === 0) throw new Error(`No mutation is named "${only}" in part ${values.part}.`);
/** Tests that never finish have reported nothing (ms). */
const LIMIT = 240_000;

/** The original text of each changed file; also restored after Ctrl-C. */
const originals = new Map<string, string>();

function apply({ name, edits }: Mutation): void {
  for (const { file, find, replace } of edits) {
    for (const library of libraries) {
      const path = resolve(library, `${file}.js`);
      const text = readFileSync(path, 'utf8');
      if (text.split(find).length !== 2) {
        throw new Error(`"${name}": the text to replace does not occur exactly once in ${file}.`);
      }
      if (!originals.has(path)) originals.set(path, text);
      writeFileSync(
        path,
        text.replace(find, () => replace),
      );
    }
  }
}

function restore(): void {
  for (const [path, text] of originals) writeFileSync(path, text);
  originals.clear();
}

/** Runs the tests until one fails, in their own process group, with all that they start. */
async function runTests({ tests, title }: Mutation): Promise<Outcome> {
  const file = join(folder, 'outcome.json');
  rmSync(file, { force: true });
  const jest = fork(
    'node_modules/jest/bin/jest.js',
    [
      // The long ones too, which jest.config.js leaves to another.
      '--testMatch=**/test/**/*.spec.js',
      '--silent',
      '--passWithNoTests',
      `--testTimeout=${LIMIT / 4}`,
      '--reporters',
      reporter,
      ...(title === undefined
        ? []
        : ['--testNamePattern', title.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&')]),
      '--',
      tests,
    ],
    {
      detached: true,
      execArgv: [
        '--experimental-vm-modules',
        '--disable-warning=ExperimentalWarning',
        '--max-semi-space-size=64',
      ],
      env: { ...process.env, LONG_RUN: '1', OUTCOME_FILE: file },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    },
  );
  await new Promise<void>((done) => {
    const timer = setTimeout(done, LIMIT);
    const end = (): void => {
      clearTimeout(timer);
      done();
    };
    jest.once('message', end);
    jest.once('exit', end);
  });
  killGroup(jest);
  if (!existsSync(file)) return { broken: 'the tests came to no end' };
  return JSON.parse(readFileSync(file, 'utf8')) as Outcome;
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** A run that was killed at its first red test has not done it. */
async function dropDatabases(): Promise<void> {
  for (const server of [
    `${process.env['TEST_POSTGRES_URL']}/postgres`,
    process.env['TEST_MARIADB_URL'],
  ]) {
    if (server !== undefined) await dropLeftOvers(server);
  }
}

function describe(outcome: Outcome): string {
  if ('red' in outcome) return `caught by: ${outcome.red}`;
  if ('broken' in outcome) return `NOT TRIED: ${outcome.broken}`;
  return `SURVIVED ${outcome.green} tests`;
}

process.once('SIGINT', () => {
  restore();
  process.exit(130);
});
await globalSetup();
let uncaught = 0;
try {
  for (const [index, mutation] of chosen.entries()) {
    process.stdout.write(`${index + 1} of ${chosen.length}: ${mutation.name} … `);
    try {
      apply(mutation);
      const outcome = await runTests(mutation);
      if (!('red' in outcome)) uncaught++;
      console.log(describe(outcome));
    } finally {
      restore();
      await dropDatabases();
    }
  }
} finally {
  await globalTeardown();
  rmSync(folder, { recursive: true, force: true });
}
console.log(uncaught === 0 ? '\nall caught' : `\n${uncaught} not caught`);
// The embedded PostgreSQL listens for the end of the process and would leave another code.
process.exit(uncaught > 0 ? 1 : 0);
