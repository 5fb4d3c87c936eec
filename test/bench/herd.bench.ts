import { setTimeout } from 'node:timers/promises';
import { hasPostgresPrograms, PostgresServer } from '../support/postgres-server.js';
import { atMost, type BenchTable, type Figure } from './bench.js';
import { progress, times } from './progress.js';
import { FeedsProcess } from './support/feeds-process.js';
import { STATEMENT_LOG, StatementLog } from './support/statement-log.js';
import { runIfMain } from './run-if-main.js';

const INSTANCES = times(100, 20);
/** Milliseconds of each part: before, away, and back. */
const STEADY = times(10_000, 3_000);
const AWAY = times(6_000, 2_000);
const BACK = times(10_000, 4_000);
/** What only a poll asks for. */
const POLL = 'head_position';
/**
 * As many times the steady rate are no herd: each comes back at a moment of its own within one interval,
 * and then polls again. A herd of all would be ten times the steady tenth of a second.
 */
const MOST = 2;

/** What a database meets when it is back after a crash, counted by itself. */
export async function run(): Promise<BenchTable> {
  const figures = hasPostgresPrograms ? await measure() : [];
  const title = `A restart of the database under ${INSTANCES} instances`;
  return { title, node: process.versions.node, figures };
}

async function measure(): Promise<Figure[]> {
  const server = await PostgresServer.create({ ...STATEMENT_LOG, max_connections: '500' });
  let crowd: FeedsProcess | undefined;
  try {
    const log = new StatementLog(server);
    await server.start();
    progress(`starting ${INSTANCES} instances`);
    crowd = await FeedsProcess.start({ url: server.url(), count: INSTANCES, hint: false });
    await setTimeout(2_000);
    progress('the steady rate, a crash, and the time after it');
    const from = Date.now();
    await setTimeout(STEADY);
    const to = Date.now();
    await server.kill();
    await setTimeout(AWAY);
    await server.start();
    const back = Date.now();
    const isFresh = crowd.countFresh.bind(crowd);
    while ((await isFresh()) < INSTANCES) await setTimeout(20);
    const allFresh = Date.now() - back;
    await setTimeout(Math.max(0, back + BACK - Date.now()));
    const times = (begin: number, end: number): number[] =>
      log.of('postgres', begin, end).map(({ at }) => at);
    const polls = log
      .of('postgres', back - 1_000, back + BACK)
      .filter(({ sql }) => sql.includes(POLL));
    const steady = (times(from, to).length * 1_000) / (to - from);
    const after = times(back - 1_000, back + BACK);
    const each = (most: number, unit: number): string =>
      Array.from({ length: Math.ceil(most / unit) }, (_, i) => {
        const begin = back + i * unit;
        return after.filter((at) => at >= begin && at < begin + unit).length;
      }).join(', ');
    return [
      { name: 'statements in a second, steady', value: steady, unit: '' },
      atMost(
        'busiest second after it is back, all statements, against the steady rate',
        busiest(after, 1_000) / steady,
        'x',
        MOST,
        `each second: ${each(6_000, 1_000)}`,
      ),
      atMost(
        'busiest tenth of a second after it is back, against the busiest of the steady time',
        busiest(after, 100) / busiest(times(from, to), 100),
        'x',
        MOST,
        `${busiest(after, 100)} statements, steady ${busiest(times(from, to), 100)}; each tenth: ${each(1_500, 100)}`,
      ),
      {
        name: 'of all statements after it is back, polls',
        value: (polls.length / after.length) * 100,
        unit: '%',
      },
      { name: 'until every instance decides again', value: allFresh, unit: 'ms' },
    ];
  } finally {
    await crowd?.stop();
    await server.remove();
  }
}

/** The most of these moments in any window of that length (ms). */
function busiest(moments: readonly number[], window: number): number {
  const sorted = moments.toSorted((a, b) => a - b);
  let most = 0;
  for (let begin = 0, end = 0; end < sorted.length; end++) {
    while ((sorted[end] ?? 0) - (sorted[begin] ?? 0) >= window) begin++;
    most = Math.max(most, end - begin + 1);
  }
  return most;
}

await runIfMain(import.meta.url, run);
