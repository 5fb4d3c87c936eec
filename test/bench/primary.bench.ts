import { setTimeout } from 'node:timers/promises';
import { hasPostgresPrograms, PostgresServer } from '../support/postgres-server.js';
import { atMost, type BenchTable, type Figure } from './bench.js';
import { Distribution } from './distribution.js';
import { progress, times } from './progress.js';
import { FeedsProcess } from './support/feeds-process.js';
import { STATEMENT_LOG, StatementLog } from './support/statement-log.js';
import { runIfMain } from './run-if-main.js';

/** How many instances there are in each phase: those of the one before go on. */
const COUNTS = [1, 10, times(100, 20)];
/** How long nothing but polls happens in a phase (ms). */
const WINDOW = times(15_000, 3_000);
/** What only a poll asks for. */
const POLL = 'head_position';

/** What instances that have nothing to do cost their primary: statements and its time, by its own log. */
export async function run(): Promise<BenchTable> {
  const figures = hasPostgresPrograms ? await measure() : [];
  return { title: 'Load on the primary', node: process.versions.node, figures };
}

async function measure(): Promise<Figure[]> {
  const server = await PostgresServer.create({ ...STATEMENT_LOG, max_connections: '500' });
  const groups: FeedsProcess[] = [];
  const loads: Load[] = [];
  try {
    const log = new StatementLog(server);
    await server.start();
    let running = 0;
    for (const count of COUNTS) {
      progress(`${instances(count)}, for ${WINDOW / 1000} s`);
      const more = { url: server.url(), count: count - running, hint: false };
      groups.push(await FeedsProcess.start(more));
      running = count;
      await setTimeout(2_000);
      const from = Date.now();
      await setTimeout(WINDOW);
      loads.push(loadOf(log, count, from, Date.now()));
    }
  } finally {
    for (const group of groups) await group.stop();
    await server.remove();
  }
  return figuresOf(loads);
}

/** Each of one instance in one second. */
interface Load {
  readonly count: number;
  readonly statements: number;
  /** Milliseconds of the server. */
  readonly time: number;
  readonly polls: Distribution;
}

function loadOf(log: StatementLog, count: number, from: number, to: number): Load {
  const statements = log.of('postgres', from, to);
  const share = (count * (to - from)) / 1_000;
  const polls = statements.filter(({ sql }) => sql.includes(POLL));
  return {
    count,
    statements: statements.length / share,
    time: statements.reduce((sum, { took }) => sum + took, 0) / share,
    polls: new Distribution(polls.map(({ took }) => took)),
  };
}

function figuresOf(loads: readonly Load[]): Figure[] {
  const [first, last] = [loads[0], loads.at(-1)];
  if (first === undefined || last === undefined) return [];
  return [
    ...loads.flatMap(({ count, statements, time, polls }): Figure[] => [
      {
        name: `${instances(count)}: statements of one in a second`,
        value: statements,
        unit: '',
        note: `${(statements * count).toFixed(1)} of all`,
      },
      {
        name: `${instances(count)}: time of the database for one in a second`,
        value: time,
        unit: 'ms',
        note: `${(time * count).toFixed(2)} ms for all; a poll ${polls}`,
      },
    ]),
    atMost(
      `statements of one of ${last.count} instances against a single one`,
      last.statements / first.statements,
      'x',
      1.5,
    ),
  ];
}

function instances(count: number): string {
  return count === 1 ? '1 instance' : `${count} instances`;
}

await runIfMain(import.meta.url, run);
