/** Whether `npm run bench -- --quick` asked for a short run, whose figures only show that it works. */
export const isQuick = process.env['BENCH_QUICK'] === '1';

/** Whether `npm run bench -- --large` asked for what takes some minutes more. */
export const isLarge = process.env['BENCH_LARGE'] === '1';

/** The number of repetitions in a full run, or in a quick one. */
export function times(full: number, quick: number): number {
  return isQuick ? quick : full;
}

/** Reports what is being measured, on standard error, so that the table can be piped. */
export function progress(what: string): void {
  process.stderr.write(`  ${what}\n`);
}
