// Adds up what the test runners wrote and prints the one closing line.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [directory, failedSteps] = process.argv.slice(2);
const total = { passed: 0, failed: 0, skipped: 0 };
for (const file of readdirSync(directory)) {
  if (!file.endsWith('.json')) continue;
  const result = JSON.parse(readFileSync(join(directory, file), 'utf8'));
  total.passed += result.numPassedTests ?? 0;
  total.failed += (result.numFailedTests ?? 0) + (result.numRuntimeErrorTestSuites ?? 0);
  total.skipped += (result.numPendingTests ?? 0) + (result.numTodoTests ?? 0);
}
if (total.failed === 0) total.failed += Number(failedSteps);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
