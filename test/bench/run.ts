import { fork } from 'node:child_process';
import { parseArgs } from 'node:util';
import type { BenchTable } from './bench.js';
import { installOtherNodes, OTHER_NODES } from './nodes.js';
import { progress } from './progress.js';
import { merge, readResults, type Result, resultOf, saveResults } from './report/results.js';
import { majorOf, tableOf } from './report/table.js';
import { writeReport } from './report/write.js';
import { temporaryFolder } from './support/temporary-folder.js';

/** In the order of the page. */
const BENCHES = [
  'guard',
  'nodes',
  'peers',
  'rates',
  'growth',
  'index',
  'live',
  'write',
  'telling',
  'load',
  'primary',
  'idle',
  'propagation',
  'crowd',
  'herd',
  'frozen',
  'flood',
  'repeats',
];
/** The requests, on Node versions that no database driver is compiled for. */
const NODES = 'nodes';
const ORDER = BENCHES.flatMap((bench) => (bench === NODES ? OTHER_NODES.map(partOn) : [bench]));

const USAGE = `npm run bench [-- --quick] [-- --large] [-- --only=guard,write [--update]] [-- --render]

  --quick   a short run, to see that everything works; its figures prove nothing and are not written
  --large   ten times as many sessions and events where filling them in takes some minutes more
  --only    some of ${BENCHES.join(', ')}; the figures are printed and not written
  --update  writes what --only measured into the page, in the place of its former figures
  --render  measures nothing: writes page, charts and README anew from docs/benchmarks.json`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    large: { type: 'boolean', default: false },
    only: { type: 'string' },
    update: { type: 'boolean', default: false },
    render: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const only = values.only?.split(',');
/** Whether the figures go into the repository. */
const isKept = !values.quick && (only === undefined || values.update);

if (values.help) console.log(USAGE);
else if (values.render) writeReport(readResults());
else await main();

async function main(): Promise<void> {
  const unknown = only?.filter((bench) => !BENCHES.includes(bench)) ?? [];
  if (unknown.length > 0) throw new Error(`There is no bench ${unknown.join(', ')}.\n\n${USAGE}`);
  const failed: string[] = [];
  const done: Result[] = [];
  const attempt = async (part: string, bench: string, execPath: string): Promise<void> => {
    progress(`== ${part}`);
    const start = performance.now();
    try {
      const table = await runBench(bench, execPath);
      const result = resultOf(part, (performance.now() - start) / 1000, table);
      done.push(result);
      progress(`== ${part}: ${result.took.toFixed(0)} s`);
      console.log(`### ${table.title} (Node ${table.node})\n\n${tableOf(table)}\n`);
      // At once: what fails later does not take it away.
      if (isKept) saveResults(merge(readResults(), [result], ORDER));
    } catch (error) {
      failed.push(part);
      progress(`== ${part} FAILED: ${String(error)}`);
    }
  };
  for (const bench of only ?? BENCHES) {
    if (bench === NODES) await onOtherNodes((node, path) => attempt(partOn(node), 'guard', path));
    else await attempt(bench, bench, process.execPath);
  }
  if (isKept) writeReport(readResults());
  const seconds = done.map(({ part, took }) => `${part} ${took.toFixed(0)} s`);
  progress(seconds.join(', '));
  // A target that is missed stays missed in the table; a figure is no reason for a build to fail.
  if (failed.length === 0) return;
  progress(`failed, so their former figures stay: ${failed.join(', ')}`);
  process.exitCode = 1;
}

async function onOtherNodes(body: (node: string, path: string) => Promise<void>): Promise<void> {
  const folder = temporaryFolder();
  try {
    for (const { version, path } of installOtherNodes(folder.path)) await body(version, path);
  } finally {
    folder.remove();
  }
}

function partOn(node: string): string {
  return `guard on Node ${majorOf(node)}`;
}

function runBench(name: string, execPath: string): Promise<BenchTable> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL('./worker.js', import.meta.url), [name], {
      execPath,
      execArgv: ['--expose-gc'],
      env: { ...process.env, BENCH_QUICK: flag(values.quick), BENCH_LARGE: flag(values.large) },
    });
    child.once('message', (table) => resolve(table as BenchTable));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the bench "${name}" ended with ${code}`)));
  });
}

function flag(isSet: boolean): string {
  return isSet ? '1' : '0';
}
