import { setTimeout } from 'node:timers/promises';
import { hasPostgresPrograms, PostgresServer } from '../support/postgres-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { atMost, type BenchTable, type Figure } from './bench.js';
import { Distribution } from './distribution.js';
import { progress, times } from './progress.js';
import { FloodProcess, type FloodSettings, type FloodTally } from './support/flood-process.js';
import { InstanceProcess } from './support/instance-process.js';
import { Probe } from './support/probe.js';
import { runIfMain } from './run-if-main.js';

const SOCKETS = times(1_000, 200);
/** How long each phase lasts (ms); in its middle the feed's connection is killed. */
const PHASE = times(20_000, 6_000);
/** What an answer of the database takes on its way (ms). */
const DISTANCE = 4;
/** Seconds; the bound within which a guarded request has to be answered. */
const MAX_STALENESS = 5;
/** Of the client of guarded requests, and milliseconds between two on each. */
const CONNECTIONS = 4;
const PACE = 100;
/** From one login to the next (ms). */
const ACT_PACE = 500;

interface Call {
  readonly status: number;
  readonly took: number;
}

interface Phase {
  readonly guarded: Call[];
  readonly logins: Call[];
  readonly refreshes: Call[];
  readonly logouts: Call[];
  readonly tally: FloodTally | undefined;
}

/** A flood of texts that are no refresh tokens, while the feed's connection is killed once (S1). */
export async function run(): Promise<BenchTable> {
  const figures = hasPostgresPrograms ? await measure() : [];
  const title = `${SOCKETS} sockets that send random texts for refresh tokens`;
  return { title, node: process.versions.node, figures };
}

async function measure(): Promise<Figure[]> {
  const server = await PostgresServer.create({ fsync: 'on' });
  await server.start();
  const proxy = await TcpProxy.to('127.0.0.1', server.port);
  const url = new URL(server.url());
  url.port = String(proxy.port);
  const instance = await InstanceProcess.start({ url: url.href, maxStaleness: MAX_STALENESS });
  try {
    proxy.slowDown(DISTANCE);
    const guest = await new Client(instance.port).logIn();
    await phase('warming up', instance.port, guest, server);
    const quiet = await phase('quiet', instance.port, guest, server);
    const random = await phase('random texts', instance.port, guest, server, 'random');
    const forged = await phase('forged check values', instance.port, guest, server, 'forged');
    return [
      ...figuresOf('quiet', quiet, quiet),
      ...figuresOf('random texts', random, quiet),
      ...figuresOf('forged check values', forged, quiet),
    ];
  } finally {
    await instance.stop();
    await proxy.close();
    await server.remove();
  }
}

async function phase(
  name: string,
  port: number,
  guest: Tokens,
  server: PostgresServer,
  shape?: FloodSettings['shape'],
): Promise<Phase> {
  progress(`${name}, for ${PHASE / 1000} s`);
  const client = new Client(port);
  const until = performance.now() + PHASE;
  const guarded = askGuarded(port, guest.access_token, until);
  const acts = actsOf(client, until);
  const flood =
    shape === undefined ? undefined : FloodProcess.start({ port, sockets: SOCKETS, shape });
  await setTimeout(PHASE / 2);
  await server.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() ` +
      `AND query LIKE '%head_position%'`,
  );
  const found = { guarded: await guarded, ...(await acts) };
  return { ...found, tally: await flood?.stop() };
}

/** Over connections that were there before the flood, because only the guard is measured. */
async function askGuarded(port: number, token: string, until: number): Promise<Call[]> {
  const calls: Call[] = [];
  const asking = Array.from({ length: CONNECTIONS }, async () => {
    const probe = await Probe.open(port);
    for (let at = performance.now(); at < until; at += PACE) {
      const wait = at - performance.now();
      if (wait > 0) await setTimeout(wait);
      const { status, sent, received } = await probe.ask('GET /me', token);
      calls.push({ status, took: received - sent });
    }
    probe.close();
  });
  await Promise.all(asking);
  return calls;
}

/** One after the other: a login, a refresh of its token, a logout with the token that it gave. */
async function actsOf(
  client: Client,
  until: number,
): Promise<Pick<Phase, 'logins' | 'refreshes' | 'logouts'>> {
  const found = { logins: [] as Call[], refreshes: [] as Call[], logouts: [] as Call[] };
  while (performance.now() < until) {
    const login = await client.send('POST /auth/login', { username: 'alice', password: 'x' });
    found.logins.push(login);
    const refreshed = await client.send('POST /auth/refresh', {
      refresh_token: login.body.refresh_token,
    });
    found.refreshes.push(refreshed);
    found.logouts.push(
      await client.send('POST /auth/logout', { refresh_token: refreshed.body.refresh_token }),
    );
    await setTimeout(ACT_PACE);
  }
  return found;
}

function figuresOf(
  name: string,
  { guarded, logins, refreshes, logouts, tally }: Phase,
  quiet: Phase,
): Figure[] {
  const failed = (calls: readonly Call[], good: number): number =>
    calls.filter(({ status }) => status !== good).length;
  const spread = (calls: readonly Call[]): Distribution =>
    new Distribution(calls.map(({ took }) => took));
  const p50 = (calls: readonly Call[]): number => spread(calls).at(0.5);
  const none = (what: string, calls: readonly Call[], good: number): Figure =>
    atMost(`${name}: ${what} not answered ${good}`, failed(calls, good), '', 0, `${spread(calls)}`);
  const figures = [
    none('guarded requests', guarded, 200),
    atMost(`${name}: the slowest guarded request`, spread(guarded).most / 1000, 's', MAX_STALENESS),
    none('logins', logins, 200),
    none('refreshes of a new token', refreshes, 200),
    none('logouts with a refresh token', logouts, 204),
  ];
  if (tally === undefined) return figures;
  const answers = Object.entries(tally.answers).map(([status, n]) => `${n} ${status}`);
  const total = Object.values(tally.answers).reduce((sum, n) => sum + n, 0);
  const ratio = (calls: readonly Call[], before: readonly Call[], what: string): Figure => ({
    name: `${name}: ${what}, as a multiple of the quiet run`,
    value: p50(calls) / p50(before),
    unit: 'x',
  });
  return [
    ...figures,
    ratio(guarded, quiet.guarded, 'a guarded request (p50)'),
    ratio(refreshes, quiet.refreshes, 'a refresh (p50)'),
    {
      name: `${name}: answers to the flood`,
      value: total / (PHASE / 1000),
      unit: '/s',
      note: answers.join(', '),
    },
  ];
}

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}

/** An honest client; it does not try again. */
class Client {
  constructor(private readonly port: number) {}

  async logIn(): Promise<Tokens> {
    return (await this.send('POST /auth/login', { username: 'guest', password: 'x' })).body;
  }

  /** Returns the answer as it is. */
  async send(call: string, body: object): Promise<Call & { readonly body: Tokens }> {
    const [method = '', path = '/'] = call.split(' ');
    const sent = performance.now();
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    const tokens = (text.startsWith('{') ? JSON.parse(text) : {}) as Tokens;
    return { status: response.status, took: performance.now() - sent, body: tokens };
  }
}

await runIfMain(import.meta.url, run);
