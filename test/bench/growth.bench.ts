import { hasPostgresPrograms, PostgresServer } from '../support/postgres-server.js';
import { type Instance, startInstance } from '../support/instance.js';
import { atMost, type BenchTable, type Figure, median } from './bench.js';
import { startGuardApp } from './guard/app.js';
import { type Driver, injectDriver } from './guard/drivers.js';
import { BLOCK } from './guard/variants.js';
import { type Blocks, pairedBlocks, throughput } from './paired.js';
import { isLarge, isQuick, progress, times } from './progress.js';
import { fillSessions, type KnownSession } from './support/many-sessions.js';
import { runIfMain } from './run-if-main.js';

const MOST = 1.5;
const REVOKED = isQuick ? [1e3, 1e4, 1e5] : [1e3, 1e4, 1e5, 1e6, 1e7];
/** 1e7 sessions take some minutes to fill in, and are measured with `--large`. */
const SESSIONS = isQuick ? [1e4, 2e4] : [1e4, 1e5, 1e6, ...(isLarge ? [1e7] : [])];
const ISSUER = 'https://issuer.test';
const SECRET = 'a secret of the tests: 32 bytes or more';
const ACCOUNTS = 400;
/** Refreshes, lists or logouts of one block, one at a time. */
const ACTS = 32;
const ROUNDS = times(25, 4);

/** Whether what grows makes anything slower: revocations, and sessions. */
export async function run(): Promise<BenchTable> {
  const figures = [...(await requests()), ...(hasPostgresPrograms ? await sessions() : [])];
  return { title: 'Growth', node: process.versions.node, figures };
}

/** Guarded requests, each size in its own application in this process. */
async function requests(): Promise<Figure[]> {
  const drives: Driver[] = [];
  const closing: (() => Promise<void>)[] = [];
  try {
    for (const revoked of [...REVOKED, REVOKED[0] ?? 0]) {
      const guard = await startGuardApp('fastify', { revoked });
      drives.push(injectDriver(guard));
      closing.push(() => guard.app.close());
    }
    const rounds = times(150, 10);
    progress(`guarded requests at each size (${rounds} rounds)`);
    const ask = (drive: Driver) => (): Promise<void> => drive('/ours', BLOCK);
    const blocks = await pairedBlocks(variantsOf(drives.map(ask)), rounds);
    return curve(
      { act: 'guarded request', of: 'live revocations', sizes: REVOKED, count: BLOCK },
      blocks,
    );
  } finally {
    for (const close of closing) await close();
  }
}

/** Refreshes, lists and logouts, each size in its own database on one server. */
async function sessions(): Promise<Figure[]> {
  const server = await PostgresServer.create({
    fsync: 'on',
    max_connections: '100',
    shared_buffers: '512MB',
    max_wal_size: '16GB',
    maintenance_work_mem: '512MB',
  });
  const scenes: Scene[] = [];
  try {
    await server.start();
    for (const [i, count] of SESSIONS.entries()) scenes.push(await openScene(server, i, count));
    const acts = scenes.map((scene) => actsOn(scene));
    const figures: Figure[] = [];
    for (const act of ['list', 'refresh', 'logout'] as const) {
      progress(`${act} at each size (${ROUNDS} rounds)`);
      // The smallest once more: the A/A control.
      const bodies = [...acts, acts[0]].map((each) => async (): Promise<void> => {
        for (let i = 0; i < ACTS; i++) await each?.[act]();
      });
      const blocks = await pairedBlocks(variantsOf(bodies), ROUNDS);
      figures.push(...curve({ act, of: 'sessions', sizes: SESSIONS, count: ACTS }, blocks));
    }
    return figures;
  } finally {
    for (const { instance } of scenes) await instance.close();
    await server.remove();
  }
}

interface Scene {
  readonly instance: Instance;
  readonly accounts: readonly (readonly KnownSession[])[];
}

async function openScene(server: PostgresServer, i: number, count: number): Promise<Scene> {
  const name = `growth_${i}`;
  await server.query(`CREATE DATABASE ${name}`);
  const url = server.url(name);
  const instance = await startInstance({
    url,
    options: { type: 'postgres', url },
    drop: async () => undefined,
  });
  await instance.login('template');
  const sampled = Math.min(ACCOUNTS, count / 10);
  const given = { issuer: ISSUER, secret: SECRET, count, sampled };
  return { instance, accounts: await fillSessions(instance.dataSource, given) };
}

/** Each call takes the next account, or the next session: the first half to refresh, the other to log out. */
function actsOn({
  instance,
  accounts,
}: Scene): Record<'list' | 'refresh' | 'logout', () => Promise<unknown>> {
  const refreshed = accounts.flatMap((all) => all.slice(0, 5)).map((session) => ({ ...session }));
  const ended = accounts.flatMap((all) => all.slice(5));
  const next = { list: 0, refresh: 0, logout: 0 };
  return {
    list: () => instance.sessions.list(accounts[next.list++ % accounts.length]?.[0]?.subject ?? ''),
    refresh: async () => {
      const session = refreshed[next.refresh++ % refreshed.length];
      if (session === undefined) throw new Error('There is no session to refresh.');
      const { refreshToken } = await instance.sessions.refresh(session.refreshToken);
      Object.assign(session, { refreshToken });
    },
    logout: async () => {
      const session = ended[next.logout++];
      if (session === undefined) throw new Error('No session is left to log out.');
      const iat = Math.floor(Date.now() / 1000);
      const { sid, subject } = session;
      await instance.logout.logout({ iss: ISSUER, sub: subject, sid, gen: 0, iat, exp: iat + 300 });
    },
  };
}

function variantsOf(bodies: readonly (() => Promise<void>)[]): Record<string, () => Promise<void>> {
  return Object.fromEntries(bodies.map((body, i) => [`variant ${i}`, body]));
}

/** What was done, so often in each block, beside a growing number of what. */
interface Curve {
  readonly act: string;
  readonly of: string;
  readonly sizes: readonly number[];
  readonly count: number;
}

/** What one costs at each size against the smallest; the last blocks are the smallest again. */
function curve(
  { act, of, sizes, count }: Curve,
  blocks: Readonly<Record<string, Blocks>>,
): Figure[] {
  const all = Object.values(blocks);
  const [smallest, control] = [all[0] as Blocks, all.at(-1) as Blocks];
  const label = (size: number): string => size.toExponential(0).replace('+', '');
  const figures = sizes.map((size, i): Figure => {
    const these = all[i] as Blocks;
    // The time of this size over that of the smallest.
    const { median: ratio, low, high } = throughput(smallest, these);
    const cost = ((median(these.wall) * 1_000) / count).toFixed(1);
    const note = `${cost} µs each; half of the rounds ${low.toFixed(2)}-${high.toFixed(2)}`;
    const name = `${act}: ${label(size)} ${of} against ${label(sizes[0] ?? NaN)}`;
    const plots = [{ chart: 'growth', row: act, x: size, value: ratio }] as const;
    if (i < sizes.length - 1) return { name, value: ratio, unit: 'x', note, plots };
    return { ...atMost(name, ratio, 'x', MOST, note), plots };
  });
  const again = throughput(smallest, control);
  return [
    ...figures,
    {
      name: `${act}: the smallest again (A/A control)`,
      value: again.median,
      unit: 'x',
      note: `half of the rounds ${again.low.toFixed(2)}-${again.high.toFixed(2)}`,
    },
  ];
}

await runIfMain(import.meta.url, run);
