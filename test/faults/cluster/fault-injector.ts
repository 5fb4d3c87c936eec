import { setTimeout } from 'node:timers/promises';
import type { HistoryRecorder } from '../history/history-recorder.js';
import { INSTANCES } from '../load/scenario.js';
import { Random } from '../random.js';
import { COMMIT, type Fate, POLL } from '../../support/tcp-proxy.js';
import type { FaultCluster, Member } from './fault-cluster.js';
import type { Fault } from './fault-plan.js';

/** Applies a round's faults, each at its time, and takes each back at its end. */
export class FaultInjector {
  /** What has happened so far, by kind. */
  readonly counts = new Map<string, number>();

  constructor(
    private readonly cluster: FaultCluster,
    private readonly history: () => HistoryRecorder,
  ) {}

  /** Resolves when every one of them is over. */
  async run(faults: readonly Fault[]): Promise<void> {
    const ofServer = faults.filter(({ on }) => on === undefined);
    const lines = Array.from({ length: INSTANCES }, (_, i) => faults.filter(({ on }) => on === i));
    const start = performance.now();
    await Promise.all(
      [ofServer, ...lines].map(async (line) => {
        for (const fault of line) {
          await setTimeout(Math.max(0, start + fault.at - performance.now()));
          await this.inject(fault);
          this.counts.set(fault.kind, (this.counts.get(fault.kind) ?? 0) + 1);
        }
      }),
    );
  }

  private async inject(fault: Fault): Promise<void> {
    const { kind, lasts, on, size } = fault;
    if (on === undefined) {
      await this.killDatabase(lasts);
      return;
    }
    const member = this.cluster.members[on] as Member;
    const { proxy } = member;
    if (kind === 'delay') {
      proxy.slowDown(size);
      await setTimeout(lasts);
      proxy.slowDown(0);
    } else if (kind === 'cut') {
      proxy.cut();
    } else if (kind === 'freeze') {
      proxy.freeze();
      await this.isolated(member, lasts);
      proxy.thaw();
    } else if (kind === 'refuse') {
      proxy.refuse();
      await this.isolated(member, lasts);
      proxy.admit();
    } else if (kind === 'swallow commits') {
      await this.hit(member, COMMIT, 'swallow answer', fault);
    } else if (kind === 'cut commits') {
      await this.hit(member, COMMIT, 'cut', fault);
    } else if (kind === 'swallow polls') {
      await this.hit(member, POLL, 'swallow answer', fault);
    } else if (kind === 'pause') {
      member.process.pause();
      await setTimeout(lasts);
      member.process.resume();
    } else if (kind === 'clock') {
      member.process.signal('SIGWINCH');
    } else if (kind === 'cold start') {
      // It starts without its database, and must accept no request until it has read all of the
      // log.
      proxy.refuse();
      const over = this.isolated(member, lasts).then(() => proxy.admit());
      await this.cluster.restart(member, this.history);
      await over;
    } else {
      await this.cluster.restart(member, this.history);
    }
  }

  /** `size` of ten of the matching pieces are hit. */
  private async hit(
    { proxy, name }: Member,
    pattern: RegExp,
    fate: Fate,
    { at, lasts, size }: Fault,
  ): Promise<void> {
    const random = new Random('fate', name, at);
    proxy.watch((bytes) => (pattern.test(bytes) && random.isLikely(size / 10) ? fate : 'pass'));
    await setTimeout(lasts);
    proxy.watch(() => 'pass');
  }

  private async isolated({ name }: Member, lasts: number): Promise<void> {
    const end = this.history().isolate(name);
    await setTimeout(lasts);
    end();
  }

  private async killDatabase(lasts: number): Promise<void> {
    await this.cluster.postgres.kill();
    const ends = this.cluster.members.map(({ name }) => this.history().isolate(name));
    await setTimeout(lasts);
    for (const end of ends) end();
    await this.cluster.postgres.start();
  }
}
