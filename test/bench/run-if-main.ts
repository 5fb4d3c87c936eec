import { pathToFileURL } from 'node:url';
import type { BenchTable } from './bench.js';
import { tableOf } from './report/table.js';

/** Runs a bench if its file was started by itself; called at the end of each of them. */
export async function runIfMain(url: string, run: () => Promise<BenchTable>): Promise<void> {
  const started = process.argv[1];
  if (started === undefined || pathToFileURL(started).href !== url) return;
  console.log(tableOf(await run()));
}
