import {
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { now, pause } from './clock.js';
import { Cluster } from './cluster.js';
import type { Instance } from './instance.js';
import { Observations } from './observations.js';

const SUBJECT = 'bob';
const VISITORS = 24;
const READS_BEFORE_LOGOUT = 4;
const READS_AFTER_LOGOUT = 2;
/** A paused instance keeps so many visitors waiting, and no more. */
const MOST_IN_FLIGHT = 4;

interface Visitor {
  token: string | undefined;
  isLoggedOut: boolean;
  reads: number;
  busy: boolean;
}

/** Visitors who log in on one instance, look around on all, and log out on another. */
@Injectable()
export class Load implements OnApplicationBootstrap, OnApplicationShutdown {
  /** Operations in a second; 0 stops it. */
  rate = 0;
  private stopped = false;
  private isFollowing = false;
  private readonly visitors: Visitor[] = Array.from({ length: VISITORS }, newVisitor);

  constructor(
    private readonly cluster: Cluster,
    private readonly observations: Observations,
  ) {}

  onApplicationBootstrap(): void {
    void this.run();
  }

  onApplicationShutdown(): void {
    this.stopped = true;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      await pause(this.rate > 0 ? 1_000 / this.rate : 200);
      if (this.rate > 0) void this.step();
    }
  }

  private async step(): Promise<void> {
    const open = this.cluster.instances.filter(
      ({ state, inFlight }) =>
        state !== 'gone' && state !== 'starting' && inFlight < MOST_IN_FLIGHT,
    );
    const instance = oneOf(open);
    const visitor = oneOf(this.visitors.filter(({ busy }) => !busy));
    if (instance === undefined || visitor === undefined) return;
    visitor.busy = true;
    await this.visit(visitor, instance);
    visitor.busy = false;
  }

  private async visit(visitor: Visitor, instance: Instance): Promise<void> {
    const { token } = visitor;
    if (token === undefined) {
      const answer = await instance.login(SUBJECT);
      if (typeof answer === 'string') visitor.token = answer;
      return;
    }
    if (visitor.isLoggedOut || visitor.reads < READS_BEFORE_LOGOUT) {
      const { decision } = await instance.read(token);
      const isOver = visitor.isLoggedOut
        ? ++visitor.reads > READS_AFTER_LOGOUT
        : decision === 'refused';
      if (isOver) Object.assign(visitor, newVisitor(), { busy: true });
      else if (!visitor.isLoggedOut) visitor.reads++;
      return;
    }
    if ((await instance.logout(token)) !== 204) return;
    const loggedOutAt = now();
    visitor.isLoggedOut = true;
    visitor.reads = 0;
    if (!this.isFollowing) await this.followOne(token, instance, loggedOutAt);
  }

  /** Some of the logouts are followed until no instance accepts; one at a time, to add little load. */
  private async followOne(token: string, from: Instance, loggedOutAt: number): Promise<void> {
    this.isFollowing = true;
    const others = this.cluster.others(from).filter(({ state }) => state === 'running');
    await Promise.all(others.map((each) => this.followOn(each, token, loggedOutAt)));
    this.observations.followed++;
    this.isFollowing = false;
  }

  private async followOn(instance: Instance, token: string, loggedOutAt: number): Promise<void> {
    const bound = loggedOutAt + this.cluster.maxStaleness;
    let hasAccepted = false;
    for (;;) {
      const { decision, answeredAt, notBefore, waited } = await instance.read(token);
      const delay = Math.max(0, answeredAt - loggedOutAt);
      if (decision === 'refused' || decision === 'unknown') {
        // An instance that could not decide before the logout did not stop accepting anything
        // either.
        if (!waited && (hasAccepted || decision === 'refused'))
          this.observations.sawDelay(instance.name, answeredAt, delay);
        return;
      }
      hasAccepted ||= decision === 'accepted';
      if (decision === 'accepted' && notBefore >= bound) {
        this.observations.late++;
        this.observations.note(`${instance.name} accepted a token when the bound had passed!`);
      }
      if (notBefore >= bound || instance.state === 'gone') return;
      // Often at first, for push notifications; later ten times a second, which is enough for
      // polls.
      await pause(Math.min(Math.max(2, delay / 4), 100));
    }
  }
}

function newVisitor(): Visitor {
  return { token: undefined, isLoggedOut: false, reads: 0, busy: false };
}

function oneOf<T>(of: readonly T[]): T | undefined {
  return of[Math.floor(Math.random() * of.length)];
}
