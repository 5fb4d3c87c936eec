import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const SUMMARY = resolve(import.meta.dirname, '../../../../.ci/summary.js');
const JEST = {
  numPassedTests: 40,
  numFailedTests: 0,
  numRuntimeErrorTestSuites: 0,
  numPendingTests: 3,
  numTodoTests: 1,
};
const PACKAGE = { numPassedTests: 5, numFailedTests: 0, numPendingTests: 0 };

describe('the summary of .ci/run', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'nestjs-logout-summary-'));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const left = (name: string, result: object | string): void =>
    writeFileSync(
      join(folder, `${name}.json`),
      typeof result === 'string' ? result : JSON.stringify(result),
    );
  const summarize = (...failedSteps: string[]): { code: number | null; lines: string[] } => {
    const { status, stdout } = spawnSync(
      process.execPath,
      [SUMMARY, folder, 'jest,package', ...failedSteps],
      { encoding: 'utf8' },
    );
    return { code: status, lines: stdout.trim().split('\n') };
  };

  it('the summary adds up the result of each runner', () => {
    left('jest', JEST);
    left('package', PACKAGE);
    expect(summarize()).toEqual({ code: 0, lines: ['45 passed, 0 failed, 4 skipped'] });
  });

  it('the summary counts failed tests and files that could not be run', () => {
    left('jest', { ...JEST, numFailedTests: 2, numRuntimeErrorTestSuites: 1 });
    left('package', { ...PACKAGE, numFailedTests: 1 });
    const { code, lines } = summarize('npm test ended with code 1');
    expect([code, lines.at(-1)]).toEqual([1, '45 passed, 4 failed, 4 skipped']);
  });

  it.each([
    ['is missing', undefined],
    ['was cut off', '{"numPassedTests": 4'],
    ['counts no test', { ...JEST, numPassedTests: 0 }],
  ])('the summary names a runner whose result %s, and fails', (_, result) => {
    if (result !== undefined) left('jest', result);
    left('package', PACKAGE);
    const { code, lines } = summarize('npm test ended with code 137');
    expect(lines).toEqual([
      'failed step: npm test ended with code 137',
      expect.stringMatching(/^CRASHED: jest left no result \(.+\)/),
      '5 passed, 1 failed, 0 skipped',
    ]);
    expect(code).toBe(1);
  });

  it('the summary fails for a step without tests', () => {
    left('jest', JEST);
    left('package', PACKAGE);
    expect(summarize('npm run lint ended with code 1')).toEqual({
      code: 1,
      lines: ['failed step: npm run lint ended with code 1', '45 passed, 1 failed, 4 skipped'],
    });
  });
});
