import type { HistoryRecorder } from '../history/history-recorder.js';
import { Caller } from '../load/caller.js';
import { INSTANCES } from '../load/scenario.js';
import { SHARED_SECRET } from '../../support/mint-token.js';
import { PostgresServer } from '../../support/postgres-server.js';
import { QuickstartProcess } from '../../support/quickstart-process.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

const PRELOAD = new URL('./instance.preload.js', import.meta.url).href;

/** One instance: its way to the database, and its current process. */
export interface Member {
  readonly name: string;
  readonly proxy: TcpProxy;
  process: QuickstartProcess;
  caller: Caller;
  incarnation: number;
}

/** The options of a run. */
export interface ClusterSettings {
  /** Seconds. */
  readonly maxStaleness: number;
  readonly refreshGrace: number;
  /** The wrong times that an instance's wall clock shows one after another (ms). */
  readonly clocks: (instance: number) => readonly number[];
}

/** Three instances of the quick-start on one PostgreSQL, each behind its own network. */
export class FaultCluster {
  readonly members: Member[] = [];

  private constructor(readonly postgres: PostgresServer) {}

  static async start(history: HistoryRecorder, settings: ClusterSettings): Promise<FaultCluster> {
    const postgres = await PostgresServer.create();
    await postgres.start();
    const cluster = new FaultCluster(postgres);
    try {
      for (let i = 0; i < INSTANCES; i++) await cluster.add(i, history, settings);
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  private async add(i: number, history: HistoryRecorder, settings: ClusterSettings): Promise<void> {
    const url = new URL(this.postgres.url());
    const proxy = await TcpProxy.to(url.hostname, Number(url.port));
    url.port = String(proxy.port);
    const name = 'ABC'.charAt(i);
    const [skew = 0, ...jumps] = settings.clocks(i);
    const incarnation = history.start(name);
    const process = await QuickstartProcess.start({
      DATABASE_URL: url.href,
      AUTH_SECRET: SHARED_SECRET,
      MAX_STALENESS: String(settings.maxStaleness),
      REFRESH_GRACE: String(settings.refreshGrace),
      ACCESS_TOKEN_TTL: '3600',
      // All clients have one address, and a frozen database keeps many logins of one account open at once.
      LOGIN_LIMIT: '100000',
      PLATFORM: i === 1 ? 'fastify' : 'express',
      NODE_OPTIONS: `--import=${PRELOAD}`,
      CLOCK_SKEW: String(skew),
      CLOCK_JUMPS: jumps.join(','),
    });
    const caller = new Caller(process.url);
    this.members.push({ name, proxy, process, caller, incarnation });
  }

  /** Kills the process of an instance and starts it again with the same settings. */
  async restart(member: Member, history: () => HistoryRecorder): Promise<void> {
    await member.process.kill();
    member.caller.close();
    member.incarnation = history().start(member.name);
    member.process = await member.process.restart();
    member.caller = new Caller(member.process.url);
    await this.lookAtHealth(member, history());
  }

  /**
   * P4: an instance that reports that it is still loading must not have accepted any request
   * before.
   */
  private async lookAtHealth(
    { incarnation, caller }: Member,
    history: HistoryRecorder,
  ): Promise<void> {
    await history.record({ kind: 'health', incarnation, subject: '', session: '' }, async () => {
      const { status } = await caller.send('GET', '/health');
      if (status === 200) return { outcome: 'ok' };
      return { outcome: 'fail', code: status === 503 ? 'loading' : `http ${status}` };
    });
  }

  async stop(): Promise<void> {
    for (const { caller } of this.members) caller.close();
    await Promise.all(this.members.map(({ process }) => process.kill()));
    await Promise.all(this.members.map(({ proxy }) => proxy.close()));
    await this.postgres.remove();
  }
}
