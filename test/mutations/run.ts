import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import globalSetup from '../support/global-setup.js';
import globalTeardown from '../support/global-teardown.js';
import { type Mutation, MUTATIONS } from './mutations.js';

/**
 * Breaks one mechanism after another in the compiled library and looks whether a test goes red.
 *
 * It ends with a table and with exit code 1 if a mutation survived: a promise whose mechanism can be
 * broken in silence has no test.
 */
/** Tests in this process load the first, processes that tests start load the second. */
const libraries = ['../../lib', '../../../dist'].map((path) => resolve(import.meta.dirname, path));
const only = process.argv[2];

/** @returns what was there before, by file. */
function apply({ name, edits }: Mutation): Map<string, string> {
  const before = new Map<string, string>();
  for (const { file, find, replace } of edits) {
    for (const library of libraries) {
      const path = resolve(library, `${file}.js`);
      const text = readFileSync(path, 'utf8');
      if (text.split(find).length !== 2) {
        restore(before);
        throw new Error(`"${name}": the text to replace is not there exactly once in ${file}.`);
      }
      before.set(path, text);
      writeFileSync(
        path,
        text.replace(find, () => replace),
      );
    }
  }
  return before;
}

function restore(before: ReadonlyMap<string, string>): void {
  for (const [path, text] of before) writeFileSync(path, text);
}

/** @returns the title of the first test that failed; `undefined` when all passed. */
function firstRed(tests: string): string | undefined {
  const { stdout } = spawnSync(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      'node_modules/jest/bin/jest.js',
      '--silent',
      '--json',
      '--passWithNoTests',
      tests,
    ],
    { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, timeout: 180_000 },
  );
  const result = JSON.parse(stdout) as {
    numTotalTests: number;
    testResults: {
      message: string;
      assertionResults: { status: string; fullName: string }[];
    }[];
  };
  if (result.numTotalTests === 0) throw new Error(`no test matches ${tests}`);
  const red = result.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .find(({ status }) => status === 'failed');
  return red?.fullName;
}

await globalSetup();
let survivors = 0;
try {
  for (const mutation of MUTATIONS) {
    if (only !== undefined && !mutation.name.includes(only)) continue;
    process.stdout.write(`${mutation.name} … `);
    let before = new Map<string, string>();
    try {
      before = apply(mutation);
      const red = firstRed(mutation.tests);
      if (red === undefined) survivors++;
      console.log(red === undefined ? 'SURVIVED' : `caught by: ${red}`);
    } catch (error) {
      survivors++;
      console.log(`NOT TRIED: ${String(error)}`);
    } finally {
      restore(before);
    }
  }
} finally {
  await globalTeardown();
}
process.exitCode = survivors > 0 ? 1 : 0;
console.log(`\n${survivors} survived`);
