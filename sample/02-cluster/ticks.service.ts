import {
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { type Observable, ReplaySubject } from 'rxjs';
import { now } from './clock.js';
import { Cluster } from './cluster.js';
import type { Instance, InstanceState, Knowledge } from './instance.js';
import { Load } from './load.service.js';
import { Observations, type Seen } from './observations.js';
import type { Decision } from './reading.js';
import { Watch, type Watched } from './watch.service.js';

const EVERY = 100;
/** The length of the page's time axis: a page that is opened now gets this much of the past first (ms). */
const SHOWN = 30_000;

/** One instance at one moment. */
export interface InstanceTick extends Pick<Instance, 'name' | 'pid' | 'inFlight'> {
  readonly state: InstanceState;
  readonly isCut: boolean;
  readonly knowledge: Knowledge | null;
  /** A copy: the next tick counts on. */
  readonly tally: Readonly<Record<Decision, number>>;
}

/** Everything that the page draws, ten times a second; times in ms by this process's clock. */
export interface Tick extends Seen {
  readonly now: number;
  readonly maxStaleness: number;
  readonly hint: string;
  readonly rate: number;
  readonly followed: number;
  readonly late: number;
  readonly instances: readonly InstanceTick[];
  readonly watched: Watched | null;
}

/** The beat of the page. */
@Injectable()
export class Ticks implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly subject = new ReplaySubject<Tick>(Infinity, SHOWN);
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly cluster: Cluster,
    private readonly observations: Observations,
    private readonly watch: Watch,
    private readonly load: Load,
  ) {}

  /** Those of the last half minute, and then each one as it comes. */
  get all(): Observable<Tick> {
    return this.subject;
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.subject.next(this.tick()), EVERY);
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
    this.subject.complete();
  }

  private tick(): Tick {
    const { followed, late } = this.observations;
    const { maxStaleness, hint, instances } = this.cluster;
    return {
      now: now(),
      maxStaleness,
      hint,
      rate: this.load.rate,
      followed,
      late,
      instances: instances.map(tickOf),
      watched: structuredClone(this.watch.current),
      ...this.observations.take(),
    };
  }
}

function tickOf({ name, pid, inFlight, state, line, knowledge, tally }: Instance): InstanceTick {
  return { name, pid, inFlight, state, isCut: line.isCut, knowledge, tally: { ...tally } };
}
