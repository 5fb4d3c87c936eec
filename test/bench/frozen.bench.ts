import { setTimeout } from 'node:timers/promises';
import { AUTH_OPTIONS } from '../../lib/options/auth-option-table.js';
import { mintToken } from '../support/mint-token.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { atMost, type BenchTable, type Figure } from './bench.js';
import { Distribution } from './distribution.js';
import { progress, times } from './progress.js';
import { InstanceProcess, TIGHT } from './support/instance-process.js';
import { type BenchPostgres, startPostgres } from './support/postgres.js';
import { Probe } from './support/probe.js';
import { runIfMain } from './run-if-main.js';

const CYCLES = times(6, 1);
/** Seconds. */
const MAX_STALENESS = 2;
/** Between two requests on one connection (ms): an instance that has idle time, as most have. */
const PAUSE = 1;
/** Requests in flight to each of the two routes. */
const CONNECTIONS = 2;
const HEALTHY = 1_500;
const FROZEN = 2_000 * MAX_STALENESS;
/** How much later than its timer an answer may reach the client (ms). */
const SLACK = 10;

type Route = 'me' | 'tight';

interface Answered {
  readonly route: Route;
  readonly status: number;
  readonly sent: number;
  readonly took: number;
}

/** What each phase of the cycles gave. */
interface Phases {
  readonly healthy: Answered[];
  /** Frozen, and the last proof is still valid. */
  readonly within: Answered[];
  /** The lease of the tight route lapses before any instance notices that polls fail. */
  readonly lapsing: Answered[];
  /** Refused while polls are known to fail. */
  readonly failing: Answered[];
}

/** A guarded request while the database hangs and never says so. */
export async function run(): Promise<BenchTable> {
  const server = await startPostgres();
  const figures = server === undefined ? [] : await measure(server).finally(() => server.stop());
  return { title: 'The database is frozen', node: process.versions.node, figures };
}

async function measure(server: BenchPostgres): Promise<Figure[]> {
  const url = new URL(server.url);
  const network = await TcpProxy.to(url.hostname, Number(url.port));
  url.port = String(network.port);
  const instance = await InstanceProcess.start({ url: url.href, maxStaleness: MAX_STALENESS });
  const phases: Phases = { healthy: [], within: [], lapsing: [], failing: [] };
  try {
    progress('warming up');
    await warmUp(instance.port, times(4_000, 500));
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      progress(`frozen ${cycle + 1} of ${CYCLES} times`);
      await oneCycle(network, instance.port, phases);
    }
    return figuresOf(phases);
  } finally {
    network.thaw();
    await instance.stop();
    await network.close();
  }
}

/** Healthy requests that are not measured. */
async function warmUp(port: number, time: number): Promise<void> {
  const load = new Load(port);
  await load.start();
  await setTimeout(time);
  await load.stop();
}

async function oneCycle(network: TcpProxy, port: number, phases: Phases): Promise<void> {
  const load = new Load(port);
  await load.start();
  await setTimeout(200);
  const begun = performance.now();
  await setTimeout(HEALTHY + Math.random() * 500); // at no fixed distance from a poll
  const frozen = performance.now();
  network.freeze();
  await setTimeout(FROZEN);
  const thawed = performance.now();
  network.thaw();
  await load.untilFresh();
  const all = await load.stop();
  const of = (route: Route): Answered[] => all.filter((each) => each.route === route);
  phases.healthy.push(...of('me').filter(({ sent, took }) => sent > begun && sent + took < frozen));
  const during = (each: Answered): boolean => each.sent > frozen && each.sent < thawed - 500;
  phases.failing.push(...of('me').filter((each) => during(each) && each.status === 503));
  const refusedAt = of('me').find(({ sent, status }) => sent > frozen && status === 503)?.sent;
  if (refusedAt === undefined) throw new Error('The lease did not lapse.');
  const lapsing = of('tight').filter(
    ({ sent, status }) => sent > frozen && sent < refusedAt && status === 503,
  );
  if (lapsing.length === 0) throw new Error('The lease of /tight did not lapse before.');
  phases.lapsing.push(...lapsing);
  // Only while the other route is asked as often as ever: who waits there makes room here.
  const waitingFrom = lapsing[0]?.sent ?? NaN;
  phases.within.push(
    ...of('me').filter(({ sent, took }) => sent > frozen && sent + took < waitingFrom),
  );
}

function figuresOf({ healthy, within, lapsing, failing }: Phases): Figure[] {
  const tooks = (answered: readonly Answered[]): Distribution =>
    new Distribution(answered.map(({ took }) => took));
  const usual = tooks(healthy);
  const leased = tooks(within);
  const lapsed = tooks(lapsing);
  const refused = tooks(failing);
  const [odd, even] = [1, 0].map((rest) => tooks(healthy.filter((_, i) => i % 2 === rest)));
  const staleWait = Number.parseInt(String(AUTH_OPTIONS.staleWait.default), 10);
  const share = (a: Distribution | undefined, b: Distribution | undefined, at: number): number =>
    (a?.at(at) ?? NaN) / (b?.at(at) ?? NaN);
  return [
    { name: 'healthy, p50', value: usual.at(0.5), unit: 'ms', note: `${usual}` },
    {
      name: 'healthy against healthy (A/A control), p99',
      value: share(odd, even, 0.99),
      unit: 'x',
    },
    atMost(
      'frozen, within the lease: p50 against healthy',
      share(leased, usual, 0.5),
      'x',
      1.05,
      `${leased}`,
    ),
    atMost(
      'frozen, within the lease: p99 against healthy',
      share(leased, usual, 0.99),
      'x',
      1.25,
      'the poll that hangs costs nobody anything',
    ),
    atMost(
      `at the moment the lease lapses: longest beyond staleWait (${staleWait} ms)`,
      lapsed.most - staleWait,
      'ms',
      SLACK,
      `${lapsed}; @Freshness(${TIGHT}) of ${MAX_STALENESS} s`,
    ),
    atMost('while polls are known to fail: 503, p99', refused.at(0.99), 'ms', 5, `${refused}`),
    {
      name: 'while polls are known to fail: p50 against healthy',
      value: share(refused, usual, 0.5),
      unit: 'x',
    },
  ];
}

/** Requests to both routes, on kept-alive connections, until it is stopped. */
class Load {
  private readonly answered: Answered[] = [];
  private isOn = true;
  private lanes: Promise<void>[] = [];
  private lastRefusal = 0;

  constructor(private readonly port: number) {}

  async start(): Promise<void> {
    for (const route of ['me', 'tight'] as const) {
      for (let lane = 0; lane < CONNECTIONS; lane++) {
        this.lanes.push(this.drive(route, await Probe.open(this.port)));
      }
    }
  }

  async untilFresh(): Promise<void> {
    while (performance.now() - this.lastRefusal < 300) await setTimeout(20);
  }

  async stop(): Promise<readonly Answered[]> {
    this.isOn = false;
    await Promise.all(this.lanes);
    return this.answered;
  }

  private async drive(route: Route, probe: Probe): Promise<void> {
    const token = mintToken();
    while (this.isOn) {
      const { status, sent, received } = await probe.ask(`GET /${route}`, token);
      if (status === 503) this.lastRefusal = received;
      else if (status !== 200) throw new Error(`/${route} answered ${status}.`);
      this.answered.push({ route, status, sent, took: received - sent });
      await setTimeout(PAUSE);
    }
    probe.close();
  }
}

await runIfMain(import.meta.url, run);
