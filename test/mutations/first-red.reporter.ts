import { writeFileSync } from 'node:fs';

interface TestCase {
  readonly status: string;
  readonly fullName: string;
}

interface TestFile {
  readonly testFilePath: string;
  readonly testExecError?: { readonly message: string };
}

interface Totals {
  readonly numPassedTests: number;
}

/** What a run of jest came to; `broken` means that tests could not be run at all. */
export type Outcome =
  { readonly red: string } | { readonly broken: string } | { readonly green: number };

/** Reports the first test that fails as soon as it has: what comes after it does not matter. */
export default class FirstRedReporter {
  private told = false;

  onTestCaseResult(_file: unknown, { status, fullName }: TestCase): void {
    if (status === 'failed') this.tell({ red: fullName });
  }

  onTestResult(_file: unknown, { testFilePath, testExecError }: TestFile): void {
    if (testExecError !== undefined) {
      this.tell({ broken: `${testFilePath}: ${testExecError.message}` });
    }
  }

  onRunComplete(_contexts: unknown, { numPassedTests }: Totals): void {
    this.tell(numPassedTests === 0 ? { broken: 'no test matches' } : { green: numPassedTests });
  }

  private tell(outcome: Outcome): void {
    if (this.told) return;
    this.told = true;
    writeFileSync(process.env['OUTCOME_FILE'] as string, JSON.stringify(outcome));
    process.send?.('done');
  }
}
