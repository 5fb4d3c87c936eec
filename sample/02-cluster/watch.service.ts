import { ConflictException, Injectable } from '@nestjs/common';
import { now, pause } from './clock.js';
import { Cluster } from './cluster.js';
import type { Instance } from './instance.js';
import { Observations } from './observations.js';
import type { Decision, Reading } from './reading.js';

const SUBJECT = 'alice';
/** Between two requests to one instance (ms); from the logout until it refuses, without a pause. */
const ASK_EVERY = 100;
const ASK_AT_ONCE = 2;

/** The state of the watched token on one instance. */
export interface WatchedOn {
  /** The last answer; `null` before the first. */
  last: Decision | null;
  /** Since when a request waits for its answer (ms). */
  waitingSince: number | null;
  /** How long after the logout was answered it first refused (ms); below 0: before. */
  refusedAfter: number | null;
  /** Whether it has given an answer after the logout that was neither 200 nor none. */
  hasStopped: boolean;
  /** How often it accepted after the bound; it must stay 0. */
  acceptedLate: number;
}

/** One token, and the answer of every instance to it, asked again and again. */
export interface Watched {
  readonly subject: string;
  readonly loggedInOn: string;
  readonly loggedInAt: number;
  loggedOutOn: string | null;
  /** When the logout was answered (ms). */
  loggedOutAt: number | null;
  readonly on: Readonly<Record<string, WatchedOn>>;
}

/**
 * The story that a person plays: log in here, watch all instances, log out there, watch all
 * instances.
 */
@Injectable()
export class Watch {
  private watched: Watched | null = null;
  private token = '';

  constructor(
    private readonly cluster: Cluster,
    private readonly observations: Observations,
  ) {}

  get current(): Watched | null {
    return this.watched;
  }

  /** @throws ConflictException when the instance did not accept the login. */
  async login(instance: Instance): Promise<void> {
    const token = await instance.login(SUBJECT);
    if (typeof token === 'number') throw refusal(instance, 'log in', token);
    this.token = token;
    const watched: Watched = {
      subject: SUBJECT,
      loggedInOn: instance.name,
      loggedInAt: now(),
      loggedOutOn: null,
      loggedOutAt: null,
      on: Object.fromEntries(this.cluster.instances.map(({ name }) => [name, nothingYet()])),
    };
    this.watched = watched;
    this.observations.note(`${SUBJECT} logged in on ${instance.name}.`);
    for (const each of this.cluster.instances) void this.follow(each, watched, token);
  }

  /** @throws ConflictException when the logout failed: a failure is never reported as a success (P10). */
  async logout(instance: Instance): Promise<void> {
    const { watched } = this;
    if (watched === null || watched.loggedOutAt !== null) {
      throw new ConflictException('No one is logged in.');
    }
    const status = await instance.logout(this.token);
    if (status !== 204) throw refusal(instance, 'log out', status);
    watched.loggedOutOn = instance.name;
    watched.loggedOutAt = now();
    this.observations.followed++;
    this.observations.note(`${SUBJECT} logged out on ${instance.name}.`);
  }

  private async follow(instance: Instance, watched: Watched, token: string): Promise<void> {
    const seen = watched.on[instance.name];
    if (seen === undefined) return;
    while (this.watched === watched) {
      seen.waitingSince = now();
      const reading = await instance.read(token);
      const { decision, answeredAt } = reading;
      seen.waitingSince = null;
      if (this.watched !== watched) return;
      const couldTell = seen.last !== 'unknown';
      seen.last = decision;
      this.observations.sawDecision(instance.name, answeredAt, decision);
      const { loggedOutAt } = watched;
      if (loggedOutAt !== null) this.judge(instance, seen, reading, loggedOutAt, couldTell);
      const hurries = loggedOutAt !== null && decision === 'accepted';
      await this.rest(watched, hurries ? ASK_AT_ONCE : ASK_EVERY);
    }
  }

  private judge(
    { name }: Instance,
    seen: WatchedOn,
    { decision, answeredAt, notBefore, waited }: Reading,
    loggedOutAt: number,
    couldTell: boolean,
  ): void {
    if (decision === 'silent') return;
    if (decision === 'accepted') {
      if (notBefore < loggedOutAt + this.cluster.maxStaleness) return;
      seen.acceptedLate++;
      this.observations.late++;
      this.observations.note(`${name} accepted the token when the bound had passed!`);
      return;
    }
    const delay = Math.max(0, answeredAt - loggedOutAt);
    // Paused, or without a lease, it accepted nothing before either: its delay would say nothing.
    if (!seen.hasStopped && !waited && (couldTell || decision === 'refused'))
      this.observations.sawDelay(name, answeredAt, delay);
    seen.hasStopped = true;
    if (decision !== 'refused' || seen.refusedAfter !== null) return;
    seen.refusedAfter = delay;
    this.observations.note(`${name} refused ${inWords(delay)} after the logout.`);
  }

  /** In short pieces, so that a logout in between is measured at once. */
  private async rest(watched: Watched, milliseconds: number): Promise<void> {
    const end = now() + milliseconds;
    const before = watched.loggedOutAt;
    while (now() < end && watched.loggedOutAt === before) await pause(Math.min(5, milliseconds));
  }
}

function nothingYet(): WatchedOn {
  return {
    last: null,
    waitingSince: null,
    refusedAfter: null,
    hasStopped: false,
    acceptedLate: 0,
  };
}

function refusal({ name }: Instance, what: string, status: number): ConflictException {
  const said = status === 0 ? 'did not answer' : `answered ${status}`;
  return new ConflictException(`No instance could ${what} on ${name}: it ${said}.`);
}

function inWords(milliseconds: number): string {
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / 1_000).toFixed(1)} s`;
}
