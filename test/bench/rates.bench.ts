import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import type { DataSourceOptions } from 'typeorm';
import { AuthModule } from '../../lib/auth.module.js';
import { atLeast, atMost, type BenchTable, type Figure, median } from './bench.js';
import { type Blocks, pairedBlocks, throughput } from './paired.js';
import { progress, times } from './progress.js';
import { type DatabaseName, onEachDatabase } from './support/each-database.js';
import { runIfMain } from './run-if-main.js';

const ROUNDS = times(30, 3);
/** Acts of one block. */
const BLOCK = 64;
const CALLERS = 16;
/** Sessions that are open before the first round. */
const STOCK = 6 * BLOCK;

const ACTS = ['login', 'refresh', 'logout'] as const;
type Act = (typeof ACTS)[number];

interface Pair {
  readonly access_token: string;
  readonly refresh_token: string;
}

/** What logins, refreshes and logouts cost the application, through the routes of the option `http`. */
export async function run(): Promise<BenchTable> {
  return {
    title: 'Login, refresh and logout',
    node: process.versions.node,
    figures: await onEachDatabase(measure),
  };
}

async function measure(name: DatabaseName, options: DataSourceOptions): Promise<Figure[]> {
  progress(`${name}: login, refresh and logout (${ROUNDS} rounds)`);
  const app = await startApp(options);
  try {
    const acts = actsOn(app);
    for (let i = 0; i < STOCK; i += CALLERS) await together(acts.login, CALLERS, CALLERS);
    const at = (act: Act, callers: number) => (): Promise<void> =>
      together(acts[act], BLOCK, callers);
    const blocks = await pairedBlocks(
      {
        login: at('login', CALLERS),
        'login again': at('login', CALLERS),
        'login alone': at('login', 1),
        refresh: at('refresh', CALLERS),
        'refresh again': at('refresh', CALLERS),
        'refresh alone': at('refresh', 1),
        logout: at('logout', CALLERS),
        'logout again': at('logout', CALLERS),
        'logout alone': at('logout', 1),
      },
      ROUNDS,
    );
    return ACTS.flatMap((act) =>
      figuresOf(name, act, {
        many: blocks[act],
        again: blocks[`${act} again`],
        alone: blocks[`${act} alone`],
      }),
    );
  } finally {
    await app.close();
  }
}

/** The blocks of one act: 16 at a time, the same again, and one at a time. */
interface ActBlocks {
  readonly many: Blocks;
  readonly again: Blocks;
  readonly alone: Blocks;
}

function figuresOf(name: DatabaseName, act: Act, { many, again, alone }: ActBlocks): Figure[] {
  const cpu = each(many.cpu);
  const rate = 1_000 / cpu;
  const what = `${name}: ${act === 'login' ? 'login without the password hash' : act}`;
  const spread = `half of the rounds ${spreadOf(many.cpu)} ms; 16 at a time ${perSecond(many)}/s by the clock`;
  const control = throughput(again, many, 'cpu');
  const plot = { chart: 'rates', row: act, series: name, value: rate } as const;
  const cost = `${what}, CPU`;
  const perCore = `${what}, a second per core`;
  return [
    {
      ...(act === 'logout'
        ? { name: cost, value: cpu, unit: 'ms', note: spread }
        : atMost(cost, cpu, 'ms', 1, spread)),
      plots: [plot],
    },
    act === 'refresh'
      ? atLeast(
          perCore,
          rate,
          '',
          1_000,
          `stretch 2,000: ${rate >= 2_000 ? 'reached' : 'not reached'}`,
        )
      : { name: perCore, value: rate, unit: '' },
    {
      name: `${what}, one at a time, CPU`,
      value: each(alone.cpu),
      unit: 'ms',
      note: `half of the rounds ${spreadOf(alone.cpu)} ms; ${perSecond(alone)}/s by the clock`,
    },
    {
      name: `${what}: its A/A control`,
      value: control.median,
      unit: 'x',
      note: `${control.median.toFixed(3)} (half of the rounds ${control.low.toFixed(2)}-${control.high.toFixed(2)})`,
    },
  ];
}

function each(blocks: readonly number[]): number {
  return median(blocks) / BLOCK;
}

function spreadOf(blocks: readonly number[]): string {
  const sorted = blocks.toSorted((a, b) => a - b);
  const at = (share: number): string =>
    ((sorted[Math.floor(sorted.length * share)] ?? NaN) / BLOCK).toFixed(2);
  return `${at(0.25)}-${at(0.75)}`;
}

function perSecond({ wall }: Blocks): string {
  return Math.round(1_000 / each(wall)).toLocaleString('en-US');
}

async function startApp(dataSource: DataSourceOptions): Promise<NestFastifyApplication> {
  const issuer = 'https://issuer.bench';
  const module = await Test.createTestingModule({
    imports: [
      AuthModule.forRoot({
        secret: 'a secret of the benches: 32 bytes or more',
        issuer,
        audience: issuer,
        migrations: 'run',
        dataSource,
        http: { verifyCredentials: ({ username }) => ({ subject: username }) },
      }),
    ],
  }).compile();
  const app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), {
    logger: ['error'],
  });
  await app.init();
  return app;
}

/** The acts on a stock of open sessions: the one that waited longest is taken. */
function actsOn(app: NestFastifyApplication): Record<Act, () => Promise<void>> {
  const open: Pair[] = [];
  let logins = 0;
  const post = async (
    route: Act,
    status: number,
    payload?: object,
    token?: string,
  ): Promise<string> => {
    const response = await app.inject({
      method: 'POST',
      url: `/auth/${route}`,
      ...(payload === undefined ? {} : { payload }),
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    if (response.statusCode === status) return response.payload;
    throw new Error(`${route} answered ${response.statusCode}: ${response.payload}`);
  };
  const taken = (): Pair => {
    const pair = open.shift();
    if (pair === undefined) throw new Error('No session is left.');
    return pair;
  };
  return {
    login: async () => {
      const who = { username: `user-${logins++}`, password: 'any' };
      open.push(JSON.parse(await post('login', 200, who)) as Pair);
    },
    refresh: async () => {
      const { refresh_token } = taken();
      open.push(JSON.parse(await post('refresh', 200, { refresh_token })) as Pair);
    },
    logout: async () => {
      await post('logout', 204, undefined, taken().access_token);
    },
  };
}

/** So many acts, of which so many are in flight at a time. */
async function together(act: () => Promise<void>, count: number, callers: number): Promise<void> {
  const lane = async (): Promise<void> => {
    for (let i = 0; i < count / callers; i++) await act();
  };
  await Promise.all(Array.from({ length: callers }, lane));
}

await runIfMain(import.meta.url, run);
