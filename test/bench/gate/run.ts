import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { DataSourceOptions } from 'typeorm';
import { optionsOfServer, withServer } from '../../support/database-server.js';
import { fastFolder } from '../../support/fast-folder.js';
import { hasPostgresPrograms } from '../../support/postgres-server.js';
import { startSharedPostgres } from '../../support/shared-postgres.js';
import { median } from '../bench.js';
import { progress } from '../progress.js';
import { fillLog } from '../support/full-log.js';
import { type Act, ACTS, COUNTS } from './acts.js';
import { BuildProcess } from './build-process.js';
import { type BuildName, BUILDS, prepareBuilds, removeBuilds } from './builds.js';
import { judge, type Launch } from './judge.js';
import { type Figure, table } from './table.js';

const USAGE = `npm run bench:gate [-- --base HEAD~1] [-- --head .] [-- --only login]

Compares two builds of the library in one run, and exits with 1 if the head is slower beyond the noise.

  --base      a git ref, or a folder with a dist; default HEAD~1
  --head      the same; default this checkout as it is compiled
  --only      only what has this in its name: "guarded", "login, SQLite", "cold start"; may be repeated
  --launches  how often all processes are started anew; default 5, and fewer than 3 prove nothing
  --rounds    blocks of each act in a launch; default 8
  --events    live events of a cold start; default 1000000`;

const { values } = parseArgs({
  options: {
    base: { type: 'string', default: 'HEAD~1' },
    head: { type: 'string', default: '.' },
    only: { type: 'string', multiple: true, default: [] },
    launches: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '8' },
    events: { type: 'string', default: '1000000' },
    help: { type: 'boolean', default: false },
  },
});
const [LAUNCHES, ROUNDS, EVENTS] = [values.launches, values.rounds, values.events].map(Number) as [
  number,
  number,
  number,
];

/** A kind of database, and an empty one of it at each call. */
interface Server {
  readonly name: 'SQLite' | 'PostgreSQL';
  readonly create: () => Promise<DataSourceOptions>;
}

/** What one figure came to in each launch, by its name. */
type Launches = Map<string, { readonly unit: Figure['unit']; readonly all: Launch[] }>;

let entries: Record<BuildName, string>;
const launches: Launches = new Map();

if (values.help) {
  console.log(USAGE);
} else {
  // The embedded PostgreSQL listens for the end of the process and would leave another code.
  process.exit((await main()) ? 0 : 1);
}

/** Whether nothing is slower beyond the noise. */
async function main(): Promise<boolean> {
  const folder = mkdtempSync(join(fastFolder(), 'nestjs-logout-gate-'));
  // Also if it is stopped early: the figures so far are printed.
  process.once('exit', () => {
    removeBuilds();
    rmSync(folder, { recursive: true, force: true });
    console.log(table(figuresOf(launches), values.base, values.head));
  });
  const postgres = hasPostgresPrograms
    ? await startSharedPostgres({ isDurable: false })
    : undefined;
  try {
    entries = prepareBuilds(values.base, values.head);
    const servers: Server[] = [
      { name: 'SQLite', create: async () => sqliteFile(folder) },
      ...(postgres === undefined
        ? []
        : [{ name: 'PostgreSQL', create: () => postgresDatabase(postgres.url) } as const]),
    ];
    for (const server of servers) await measureActs(server);
    for (const server of servers) await measureColdStart(server);
  } finally {
    await postgres?.stop();
  }
  return figuresOf(launches).every(({ verdict }) => verdict !== 'slower');
}

function figuresOf(measured: Launches): Figure[] {
  return [...measured].map(([name, { unit, all }]) => ({ name, unit, ...judge(all) }));
}

/** Requests, logins, refreshes and logouts, each build with its own empty database. */
async function measureActs({ name, create }: Server): Promise<void> {
  const acts = ACTS.filter((act) => !act.startsWith('decision')).filter(isWanted(name));
  if (acts.length === 0) return;
  for (let launch = 0; launch < LAUNCHES; launch++) {
    progress(`${name}: launch ${launch + 1} of ${LAUNCHES}`);
    const processes = await startAll(launch, async () => create());
    await measureRounds(processes, acts, name);
    await stopAll(processes);
  }
}

/** The first load of a full log, and decisions with all of it in memory. */
async function measureColdStart({ name, create }: Server): Promise<void> {
  const title = `cold start, ${name}`;
  const decisions = ACTS.filter((act) => act.startsWith('decision')).filter(isWanted(name));
  if (!isNamed(`${title}, CPU`) && decisions.length === 0) return;
  const dataSource = await create();
  // The base makes the tables: a later release reads them too, which is one of its promises.
  await (await BuildProcess.start({ entry: entries.base, dataSource })).stop();
  await fillLog(dataSource, EVENTS);
  for (let launch = 0; launch < LAUNCHES; launch++) {
    progress(`${title}: launch ${launch + 1} of ${LAUNCHES}`);
    const processes = await startAll(launch, async () => dataSource);
    const boot = (read: (build: BuildProcess) => number): Launch => each(processes, read);
    if (processes.base.boot.entries < EVENTS || processes.head.boot.entries < EVENTS) {
      throw new Error('Not all events were loaded.');
    }
    add(
      `${title}, CPU`,
      'ms',
      boot(({ boot: { cpu } }) => cpu),
    );
    add(
      `${title}, rows`,
      'a second',
      boot(({ boot: { wall } }) => wall / 1000 / EVENTS),
    );
    add(
      `${title}, longest stall`,
      'ms',
      boot(({ boot: { stall } }) => stall),
    );
    await measureRounds(processes, decisions, name);
    await stopAll(processes);
  }
}

type Processes = Record<BuildName, BuildProcess>;

/** One after the other, a different one first in each launch. */
async function startAll(
  launch: number,
  database: () => Promise<DataSourceOptions>,
): Promise<Processes> {
  const processes: Partial<Processes> = {};
  for (const build of turn(launch)) {
    const dataSource = await database();
    processes[build] = await BuildProcess.start({ entry: entries[build], dataSource });
  }
  return processes as Processes;
}

async function stopAll(processes: Processes): Promise<void> {
  await Promise.all(BUILDS.map((build) => processes[build].stop()));
}

/** Each act in turn in each process, so that what slows the machine for a second slows all of them. */
async function measureRounds(
  processes: Processes,
  acts: readonly Act[],
  server: string,
): Promise<void> {
  const blocks = new Map(acts.map((act) => [act, { base: [], head: [], again: [] } as Blocks]));
  const warmUp = 3;
  for (let round = -warmUp; round < ROUNDS; round++) {
    for (const act of acts) {
      for (const build of turn(round + warmUp)) {
        const cpu = await processes[build].run(act, COUNTS[act]);
        if (round >= 0) blocks.get(act)?.[build].push((cpu * 1000) / COUNTS[act]);
      }
    }
  }
  for (const [act, times] of blocks) {
    add(`${act}, ${server}`, 'µs', {
      base: median(times.base),
      head: median(times.head),
      again: median(times.again),
    });
  }
}

type Blocks = Record<BuildName, number[]>;

function each(processes: Processes, read: (build: BuildProcess) => number): Launch {
  return {
    base: read(processes.base),
    head: read(processes.head),
    again: read(processes.again),
  };
}

function add(name: string, unit: Figure['unit'], launch: Launch): void {
  if (!isNamed(name)) return;
  const figure = launches.get(name) ?? { unit, all: [] };
  figure.all.push(launch);
  launches.set(name, figure);
}

/** The order of the builds: it rotates, and is reversed every other time. */
function turn(round: number): BuildName[] {
  const order = BUILDS.map((_, i) => BUILDS[(i + round) % BUILDS.length] as BuildName);
  return round % 2 === 0 ? order : order.toReversed();
}

function isWanted(server: string): (act: Act) => boolean {
  return (act) => isNamed(`${act}, ${server}`);
}

function isNamed(name: string): boolean {
  return values.only.length === 0 || values.only.some((part) => name.includes(part));
}

function sqliteFile(folder: string): DataSourceOptions {
  return { type: 'better-sqlite3', database: join(folder, `${newName()}.sqlite`) };
}

async function postgresDatabase(server: string): Promise<DataSourceOptions> {
  const name = newName();
  await withServer(optionsOfServer(`${server}/postgres`), [`CREATE DATABASE ${name}`]);
  return optionsOfServer(`${server}/${name}`);
}

function newName(): string {
  return `gate_${randomBytes(6).toString('hex')}`;
}
