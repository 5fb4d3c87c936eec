import { readFileSync, writeFileSync } from 'node:fs';
import { chartsOf } from '../charts/charts.js';
import { progress } from '../progress.js';
import { openReasons, pageOf } from './page.js';
import { readmeOf } from './readme.js';
import { REASONS } from './reasons.js';
import type { Results } from './results.js';

// Compiled, this file is in build/test/bench/report.
const ROOT = new URL('../../../../', import.meta.url);
const README = new URL('README.md', ROOT);

/** Writes the page, its charts, and what the README shows of them. */
export function writeReport(results: Results): void {
  const docs = new URL('docs/', ROOT);
  writeFileSync(new URL('benchmarks.md', docs), pageOf(results));
  const plots = results.parts.flatMap(({ table }) => table.figures.flatMap((f) => f.plots ?? []));
  for (const { file, svg } of chartsOf(plots)) writeFileSync(new URL(file, docs), svg);
  const readme = readFileSync(README, 'utf8');
  writeFileSync(README, readmeOf(readme, results));
  for (const line of openReasons(results, REASONS)) progress(line);
}
