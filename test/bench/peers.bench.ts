import { join } from 'node:path';
import type { BenchTable, Figure } from './bench.js';
import { type Platform, SECRET, startGuardApp } from './guard/app.js';
import { openBlacklist, type Opened, openRedisBlacklist } from './guard/blacklist.js';
import { countCalls } from './guard/count-calls.js';
import { injectDriver, socketDriver } from './guard/drivers.js';
import { bar, each, plain, raceRoutes, type Variant } from './guard/variants.js';
import { throughput } from './paired.js';
import { betterAuth } from './peers/better-auth.js';
import { expressJwt } from './peers/express-jwt.js';
import type { Peer } from './peers/peer.js';
import { times } from './progress.js';
import { startPostgres } from './support/postgres.js';
import { temporaryFolder } from './support/temporary-folder.js';
import { runIfMain } from './run-if-main.js';

const REVOKED = times(1_000_000, 100_000);
const ROUNDS = times(60, 4);

const STORES: Readonly<Record<string, string>> = {
  'blacklist-redis': 'Redis GET',
  'blacklist-sqlite': 'TypeORM findOne() on SQLite',
  'blacklist-pg': 'TypeORM findOne() on PostgreSQL',
};

/** A guarded request with what a team would take instead, all of them in one application and one run. */
export async function run(): Promise<BenchTable> {
  const folder = temporaryFolder();
  const server = await startPostgres();
  const opened: Opened[] = [];
  const closing: (() => Promise<void>)[] = [];
  try {
    const redis = await openRedisBlacklist('blacklist-redis');
    if (redis !== undefined) opened.push(redis);
    const file = join(folder.path, 'peers.sqlite');
    opened.push(
      await openBlacklist('blacklist-sqlite', { type: 'better-sqlite3', database: file }),
    );
    if (server !== undefined) opened.push(await openBlacklist('blacklist-pg', server.options));
    const sessions = await betterAuth(SECRET, join(folder.path, 'better-auth.sqlite'));
    if (sessions !== undefined) closing.push(sessions.close);
    const figures: Figure[] = [];
    for (const platform of ['fastify', 'express'] as const) {
      // express-jwt is a middleware of Express.
      const peers = [
        ...(platform === 'express' ? await expressJwt(SECRET, storesOf(opened)) : []),
        ...(sessions?.peers ?? []),
      ];
      const database = join(folder.path, `${platform}.sqlite`);
      figures.push(...(await onPlatform(platform, { opened, peers, database })));
    }
    return { title: 'Instead of this library', node: process.versions.node, figures };
  } finally {
    for (const close of [...opened.map((each) => each.close), ...closing]) await close();
    await server?.stop();
    folder.remove();
  }
}

interface Scene {
  readonly opened: readonly Opened[];
  readonly peers: readonly Peer[];
  /** The file of our log. */
  readonly database: string;
}

async function onPlatform(
  platform: Platform,
  { opened, peers, database }: Scene,
): Promise<Figure[]> {
  const blacklists = opened.map(({ blacklist }) => blacklist);
  const guard = await startGuardApp(platform, {
    log: { type: 'better-sqlite3', database },
    blacklists,
    peers,
    revoked: REVOKED,
  });
  const { drive, close } =
    platform === 'fastify'
      ? { drive: injectDriver(guard), close: () => undefined }
      : await socketDriver(guard);
  try {
    const others = [
      { name: 'recipe', label: 'recipe of the Nest documentation' },
      ...blacklists.map(({ name }) => ({ name, label: `recipe + ${STORES[name] ?? name}` })),
      ...peers,
    ];
    const variants: Record<string, Variant> = Object.fromEntries(
      ['bare', 'again', 'ours'].map((path) => [path, { path }]),
    );
    for (const { name, credentials } of others as readonly Peer[]) {
      variants[name] = { path: name, credentials };
    }
    const blocks = await raceRoutes(`${platform}: peers`, drive, ROUNDS, variants);
    const { bare, again, ours } = blocks;
    if (bare === undefined || again === undefined || ours === undefined) return [];
    const control = throughput(again, bare);
    return [
      {
        ...plain(`${platform}: AuthGuard('jwt') against itself (A/A control)`, control),
        plots: [
          ...bar(platform, "AuthGuard('jwt') with a KeyObject", { ...control, median: 1 }).plots,
        ],
      },
      ...others.flatMap(({ name, label }): Figure[] => {
        const theirs = blocks[name];
        if (theirs === undefined) return [];
        return [
          {
            ...plain(`${platform}: against ${label}`, throughput(ours, theirs)),
            peer: each(theirs),
            ...bar(platform, label, throughput(theirs, bare)),
          },
        ];
      }),
      ...(platform === 'fastify'
        ? [await callsOfPeer(() => drive('/blacklist-sqlite', 480), guard.app)]
        : []),
    ];
  } finally {
    close();
    await guard.app.close();
  }
}

async function callsOfPeer(
  work: () => Promise<void>,
  app: Parameters<typeof countCalls>[0],
): Promise<Figure> {
  const { database } = await countCalls(app, work);
  return {
    name: 'database calls in 480 requests of the recipe and findOne()',
    value: database,
    unit: '',
  };
}

function storesOf(opened: readonly Opened[]): Parameters<typeof expressJwt>[1] {
  return opened
    .map(({ blacklist }) => ({ ...blacklist, label: STORES[blacklist.name] ?? blacklist.name }))
    .filter(({ name }) => name !== 'blacklist-sqlite');
}

await runIfMain(import.meta.url, run);
