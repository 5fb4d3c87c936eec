import { Test } from '@nestjs/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { setTimeout } from 'node:timers/promises';
import { AuthModule } from '../../lib/auth.module.js';
import { RevocationService } from '../../lib/revocation/revocation.service.js';
import { hasPostgresPrograms, PostgresServer } from '../support/postgres-server.js';
import { atMost, type BenchTable, type Figure } from './bench.js';
import { Distribution } from './distribution.js';
import { progress, times } from './progress.js';
import { type HintName, hintOf, untilHeard } from './support/bench-hints.js';
import { type LoggedStatement, STATEMENT_LOG, StatementLog } from './support/statement-log.js';
import { runIfMain } from './run-if-main.js';

/** How long nothing happens (ms). */
const WINDOW = times(40_000, 5_000);
/** Seconds, so that there are some 200 polls to measure. */
const MAX_STALENESS = 1;
/** What only a poll asks for. */
const POLL = 'head_position';

interface Idle {
  readonly name: string;
  readonly database: string;
  readonly hint: HintName | undefined;
}

const KINDS: readonly Idle[] = [
  { name: 'no hint', database: 'idle', hint: undefined },
  { name: 'PostgreSQL hint', database: 'idle_hint', hint: 'postgres' },
];

/** What an instance costs a database while nothing happens; the server itself counts and times. */
export async function run(): Promise<BenchTable> {
  const figures = hasPostgresPrograms ? await measure() : [];
  return { title: 'An idle instance', node: process.versions.node, figures };
}

async function measure(): Promise<Figure[]> {
  const server = await PostgresServer.create(STATEMENT_LOG);
  const instances: INestApplicationContext[] = [];
  try {
    const log = new StatementLog(server);
    await server.start();
    for (const kind of KINDS) instances.push(await open(kind, server));
    await setTimeout(1_000);
    progress(`an idle instance, for ${WINDOW / 1000} s`);
    const from = Date.now();
    await setTimeout(WINDOW);
    const to = Date.now();
    return KINDS.flatMap(({ name, database }) => figuresOf(name, log.of(database, from, to)));
  } finally {
    for (const app of instances) await app.close();
    await server.remove();
  }
}

function figuresOf(name: string, statements: readonly LoggedStatement[]): Figure[] {
  const polls = statements.filter(({ sql }) => sql.includes(POLL));
  const took = new Distribution(polls.map((each) => each.took));
  const others = new Set(
    statements.filter(({ sql }) => !sql.includes(POLL)).map(({ sql }) => sql.slice(0, 24)),
  );
  const upkeep = statements.length - polls.length;
  // From one poll to the next: what comes once a minute is in few of these, what comes with each in all.
  const between = new Distribution(gapsOf(statements));
  return [
    atMost(
      `${name}: statements from one poll to the next, in 95 % of all`,
      between.at(0.95),
      '',
      1,
      `at most ${between.most}; ${polls.length} polls in ${WINDOW / 1000} s`,
    ),
    atMost(`${name}: time of a poll on the database, p99`, took.at(0.99), 'ms', 1, `${took}`),
    {
      name: `${name}: statements of the upkeep in a minute`,
      value: (upkeep * 60_000) / WINDOW,
      unit: '',
      note: [...others].join(' · ').replaceAll('|', ' '),
    },
  ];
}

/** How many statements there were from each poll on until the next. */
function gapsOf(statements: readonly LoggedStatement[]): number[] {
  const gaps: number[] = [];
  for (const { sql } of statements) {
    if (sql.includes(POLL)) gaps.push(1);
    else if (gaps.length > 0) gaps.push((gaps.pop() ?? 0) + 1);
  }
  return gaps;
}

async function open(
  { database, hint }: Idle,
  server: PostgresServer,
): Promise<INestApplicationContext> {
  await server.query(`CREATE DATABASE ${database}`);
  const module = await Test.createTestingModule({
    imports: [
      AuthModule.forRoot({
        secret: 'a secret of the benches: 32 bytes or more',
        issuer: 'https://issuer.bench',
        audience: 'https://audience.bench',
        strategyName: database,
        migrations: 'run',
        maxStaleness: MAX_STALENESS,
        dataSource: { type: 'postgres', url: server.url(database) },
        hint: hintOf(hint),
      }),
    ],
  }).compile();
  const app = await module.init();
  await untilHeard(app.get(RevocationService));
  return app;
}

await runIfMain(import.meta.url, run);
