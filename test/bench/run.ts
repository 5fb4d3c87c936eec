import { fork } from 'node:child_process';
import type { BenchTable } from './bench.js';
import { installOtherNodes } from './nodes.js';
import { updateReport, writeReport } from './report.js';
import { progress } from './progress.js';
import { temporaryFolder } from './support/temporary-folder.js';

const BENCHES = [
  'guard',
  'index',
  'write',
  'load',
  'propagation',
  'telling',
  'idle',
  'crowd',
  'herd',
  'frozen',
  'flood',
  'growth',
];
const USAGE = `npm run bench [-- --quick] [-- --all-nodes] [-- --only=guard,write [--update]]

  --quick      a short run, to see that everything works; its figures prove nothing and are not written
  --all-nodes  the requests on Node 22, 24 and 26 as well
  --only       some of ${BENCHES.join(', ')}; the report is printed and not written
  --update     writes what --only measured into the report, in place of its former figures`;

const flags = process.argv.slice(2);
const only = flags
  .find((flag) => flag.startsWith('--only='))
  ?.slice('--only='.length)
  .split(',');
const isQuick = flags.includes('--quick');
if (flags.includes('--help')) {
  console.log(USAGE);
} else {
  await main();
}

async function main(): Promise<void> {
  const tables: BenchTable[] = [];
  for (const bench of only ?? BENCHES) tables.push(await runBench(bench, process.execPath));
  if (flags.includes('--all-nodes')) {
    const folder = temporaryFolder();
    try {
      for (const { path } of installOtherNodes(folder.path)) {
        tables.push(await runBench('guard', path));
      }
    } finally {
      folder.remove();
    }
  }
  const isUpdate = flags.includes('--update') && !isQuick;
  const report = isUpdate
    ? await updateReport(tables)
    : await writeReport(tables, !isQuick && only === undefined);
  console.log(report);
  // A target that is missed stays missed in the table; a figure is no reason for a build to fail.
}

function runBench(name: string, execPath: string): Promise<BenchTable> {
  progress(`== ${name} ${execPath === process.execPath ? '' : execPath}`);
  return new Promise((resolve, reject) => {
    const child = fork(new URL('./worker.js', import.meta.url), [name], {
      execPath,
      execArgv: ['--expose-gc'],
      env: { ...process.env, BENCH_QUICK: isQuick ? '1' : '0' },
    });
    child.once('message', (table) => resolve(table as BenchTable));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the bench "${name}" ended with ${code}`)));
  });
}
