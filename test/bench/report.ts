import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, release, totalmem, type } from 'node:os';
import { amount, format, type BenchTable, type Figure } from './bench.js';
import { type ReadmeRow, ratioPicture } from './picture.js';

const ROOT = new URL('../../../', import.meta.url);
const README = new URL('README.md', ROOT);
const REPORT = new URL('docs/benchmarks.md', ROOT);
const PICTURE = new URL('docs/benchmarks.svg', ROOT);
const MARKED = /(<!-- bench -->)[\s\S]*?(<!-- \/bench -->)/;

const HOW_TO_READ = `Written by \`npm run bench\`; do not edit it by hand. Run it yourself: it takes some minutes.

How to read it:

- **Only ratios within one run mean anything.** Variants are run in turn in one process, in an order that
  rotates and is reversed every other round; a ratio is the median over the rounds of the ratio of two
  neighbouring blocks. The absolute times give the scale of this machine on this day.
- **A/A control**: the same variant raced against itself. Its distance from 1 is the noise. A smaller difference means nothing. "Half of the rounds" is the middle half: from the first to the third
  quartile.
- **Requests.** Fastify is called by \`inject\`, so there is no socket in the denominator, and the share of
  our guard is larger than in any real request. Express gets real requests over 16 kept-alive
  connections from a small client in the same process. All variants are routes of one application; each
  request carries one of 2,048 different tokens. The index holds 1,000,000 live revoked sessions, the
  peers' tables 100,000 rows.
- **The gap to the recipe depends on the Node version**: on Node 20 jsonwebtoken spends most of its
  time on a string secret; Node 22 and later spend far less. So each figure names its version.
- **Writing**: 64 callers that log out as fast as they are answered, each logout durable before it is
  answered; the peer is one INSERT each into a table of revoked tokens with the usual two indexes, on 8
  connections. PostgreSQL runs on the same machine, with fsync.
- **From A to B**: two instances and an outsider, each a process; the outsider logs out on A over HTTP and
  asks B over one kept-alive connection as fast as it answers, so all times are by one clock. The control is the time of one refused request: every figure includes at least one.
- **Durable and pushed**: the peer is one statement, INSERT and \`pg_notify\`, for each logout: one
  transaction and one round trip. Both have a listener, and it is checked that it heard the last one.
- **Idle, and after a crash**: the server itself logs each statement and its duration, parsing included (\`log_min_duration_statement = 0\`).
- **A hundred instances**: complete ones, each with its own connections, in processes on this machine. They compete with the database for its cores, which they would not do elsewhere. Alone and among them alternate block by block, in one run.
- **Frozen**: a proxy between the instance and its database holds back every byte and breaks nothing. Two
  routes are asked at a steady pace through all phases; \`@Freshness()\` makes the lease of one expire before a poll is known to fail.
- **Flood**: sockets in a process of their own send texts that are no refresh tokens to \`/auth/refresh\`,
  \`/auth/logout\` and \`/auth/revoke\`, each as soon as the last was answered. The database answers 4 ms late. In the middle of each phase the feed's connection is cut. "Forged check values" are made with the application's own key. The honest client does not retry.
- **Asking twice**: rows and bytes are counted by PostgreSQL, time is simulated.
- **Cold start**: the longest time in which the event loop answered nothing. On a shared machine another process can delay the loop too: the control beside it is the same clock in an idle process.
- A target that is missed says **missed**, and stays.
- **Dates**: single tables are measured anew with \`--update\`. Such a table names its machine and day under its heading, and they hold for its rows in the list above too; everything else is of the day at the top.
- **Two builds**: \`npm run bench:gate -- --base main\` compares a checkout with another commit, for a pull
  request. Base, head and a second copy of the base run in turn in processes of their own; it counts
  CPU time, and exits with 1 where the head is slower by more than 5 %, by more than both copies of the
  base differ, and by more than the launches differ.
`;

/** The report; a full run is written into docs, with its picture, and between its marks into the README. */
export async function writeReport(tables: readonly BenchTable[], write: boolean): Promise<string> {
  const report = [
    '# Benchmarks',
    '',
    machine(),
    '',
    ...SUMMARY_HEAD,
    ...summary(tables),
    '',
    HOW_TO_READ,
    '## Every figure',
    '',
    ...tables.map((table) => format(table)),
  ].join('\n');
  if (!write) return report;
  await writeFile(REPORT, report);
  await writeReadme(tables);
  return report;
}

/** Replaces the figures of some benches in the report. The others keep theirs, and the date of the page. */
export async function updateReport(tables: readonly BenchTable[]): Promise<string> {
  const page = tables.reduce(replaced, await readFile(REPORT, 'utf8'));
  await writeFile(REPORT, page);
  await writeReadme(tables);
  return page;
}

function replaced(page: string, table: BenchTable): string {
  const written = format(table);
  const heading = written.slice(0, written.indexOf('\n'));
  const start = page.indexOf(heading);
  if (start < 0) return `${page.trimEnd()}\n\n${dated(written)}`;
  const next = page.indexOf('\n### ', start);
  const former = page.slice(start, next < 0 ? undefined : next);
  const names = [...former.matchAll(/^\| (.+?) \|/gm)].map(([, name]) => name);
  const [major] = table.node.split('.');
  const isOf = (line: string): boolean =>
    names.some((name) => line.startsWith(`| ${name} | ${major} |`));
  const lines = page.replace(former, dated(written).trimEnd() + '\n').split('\n');
  const first = lines.findIndex(isOf);
  const kept = lines.filter((line) => !isOf(line));
  return kept.toSpliced(first, 0, ...summary([table])).join('\n');
}

function dated(written: string): string {
  return written.replace('\n\n', `\n\n${machine()}\n\n`);
}

async function writeReadme(tables: readonly BenchTable[]): Promise<void> {
  const rows = readmeRatios(tables);
  if (!existsSync(README) || rows.some(({ fastify }) => Number.isNaN(fastify))) return;
  await writeFile(PICTURE, ratioPicture(rows));
  const readme = await readFile(README, 'utf8');
  await writeFile(
    README,
    readme.replace(MARKED, (_, start: string, end: string) =>
      [start, machine(), '', readmeTable(rows), end].join('\n'),
    ),
  );
}

const SUMMARY_HEAD = ['| figure | Node | ours | peer | target | |', '|---|---|---|---|---|---|'];

/** What was promised, and whether it was kept; of other Node versions what they are compared by. */
function summary(tables: readonly BenchTable[]): string[] {
  return tables.flatMap(({ node, figures }) =>
    figures
      .filter(({ target, peer }) => target !== undefined || peer !== undefined)
      .map((figure) => row(node, figure)),
  );
}

function row(node: string, { name, value, unit, peer = '', target = '', met }: Figure): string {
  const verdict = met === undefined ? '' : met ? 'met' : '**missed**';
  const major = node.split('.')[0];
  return `| ${name} | ${major} | ${amount(value, unit)} | ${peer} | ${target} | ${verdict} |`;
}

/** The rows of the README, by a part of the figure's name. */
const README_ROWS = [
  ["`AuthGuard('jwt')` with a KeyObject and no revocation, tokens seen", 'tokens seen, 1e6'],
  ['the same, tokens never seen', 'tokens never seen, throughput'],
  ['the recipe of the Nest documentation (string secret)', 'against the recipe of the Nest'],
  ['that recipe and a TypeORM `findOne()` on PostgreSQL', 'findOne() on PostgreSQL'],
] as const;

/** Four ratios on the Node of this run for each platform, for readers in a hurry. */
function readmeRatios(tables: readonly BenchTable[]): ReadmeRow[] {
  const figures = tables.find(({ node }) => node === process.versions.node)?.figures ?? [];
  const ratio = (platform: string, part: string): number =>
    figures.find(({ name }) => name.startsWith(platform) && name.includes(part))?.value ?? NaN;
  return README_ROWS.map(([label, part]) => ({
    label,
    fastify: ratio('fastify: ', part),
    express: ratio('express: ', part),
  }));
}

function readmeTable(rows: readonly ReadmeRow[]): string {
  return [
    '| compared with | Fastify | Express |',
    '|---|---|---|',
    ...rows.map(
      ({ label, fastify, express }) =>
        `| ${label} | ${amount(fastify, 'x')} | ${amount(express, 'x')} |`,
    ),
  ].join('\n');
}

function machine(): string {
  const [cpu] = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const date = new Date().toISOString().slice(0, 10);
  return `Node ${process.versions.node}, ${cpus().length} cores (${cpu?.model.trim() ?? 'unknown'}), ${gigabytes} GB, ${type()} ${release()}, ${date}.`;
}
