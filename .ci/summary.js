// Adds up the results of the test runners and prints the last line:
// node .ci/summary.js <directory> <name,name> [what failed …]
// Each name is a runner that must have left <name>.json. A runner without one has crashed, and
// fails.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [directory, names, ...failedSteps] = process.argv.slice(2);
const total = { passed: 0, failed: 0, skipped: 0 };
for (const step of failedSteps) console.log(`failed step: ${step}`);
for (const name of names.split(',')) {
  try {
    const result = JSON.parse(readFileSync(join(directory, `${name}.json`), 'utf8'));
    const count = (key) => result[key] ?? 0;
    if (count('numPassedTests') + count('numFailedTests') === 0) throw new Error('no test was run');
    total.passed += count('numPassedTests');
    total.failed += count('numFailedTests') + count('numRuntimeErrorTestSuites');
    total.skipped += count('numPendingTests') + count('numTodoTests');
  } catch (error) {
    total.failed += 1;
    console.log(
      `CRASHED: ${name} left no result (${error.message}). Its tests count as one failure.`,
    );
  }
}
// A step that fails without a failed test, such as lint, fails the run too.
if (total.failed === 0) total.failed = failedSteps.length;
process.exitCode = total.failed > 0 ? 1 : 0;
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
