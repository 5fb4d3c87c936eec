import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The checks of this run: one line each, counted as jest counts tests. */
export class Checks {
  private passed = 0;
  private failed = 0;
  private skipped = 0;

  /** Runs one check; what it throws is its failure, and the next one goes on. */
  async run(name: string, body: () => void | Promise<void>): Promise<void> {
    const start = performance.now();
    try {
      await body();
      this.passed++;
      console.log(`  ok    ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    } catch (error) {
      this.failed++;
      const message = error instanceof Error ? error.message : String(error);
      console.log(`  FAIL  ${name}\n${shorten(message).replaceAll(/^/gm, '          ')}`);
    }
  }

  /** Counts a check that could not be run, by name. */
  skip(name: string, why: string): void {
    this.skipped++;
    console.log(`  skip  ${name}: ${why}`);
  }

  /**
   * Prints the sum and writes it where `.ci/run` adds it up; the exit code says whether all passed.
   */
  finish(directory: string | undefined): void {
    const { passed, failed, skipped } = this;
    console.log(`package: ${passed} passed, ${failed} failed, ${skipped} skipped`);
    if (directory !== undefined) {
      const result = { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped };
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, 'package.json'), JSON.stringify(result));
    }
    process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
  }
}

/** What failed, and how it ended. */
function shorten(message: string): string {
  const lines = message.trim().split('\n');
  return lines.length <= 41 ? lines.join('\n') : [lines[0], '…', ...lines.slice(-40)].join('\n');
}

/** Fails the check with a list, if there is anything on it. */
export function expectNone(what: string, found: readonly string[]): void {
  if (found.length > 0) throw new Error(`${what}:\n${found.map((one) => `- ${one}`).join('\n')}`);
}

/** Fails the check if the two are not the same, with both. */
export function expectEqual(what: string, actual: unknown, expected: unknown): void {
  if (JSON.stringify(actual) === JSON.stringify(expected)) return;
  throw new Error(
    `${what}: expected ${JSON.stringify(expected)}, there is ${JSON.stringify(actual)}.`,
  );
}
