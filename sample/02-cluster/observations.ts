import { Injectable } from '@nestjs/common';
import { now } from './clock.js';
import type { Decision } from './reading.js';

/** A decision on the watched token: the instance, the time of the answer (ms), and the decision. */
export type SeenDecision = readonly [instance: string, at: number, decision: Decision];

/** When an instance first refused (ms), and how long after the logout's answer (ms). */
export type SeenDelay = readonly [instance: string, at: number, delay: number];

/** A sentence for the person at the page. */
export type Note = readonly [at: number, sentence: string];

/** What was seen since the last call. */
export interface Seen {
  readonly decisions: readonly SeenDecision[];
  readonly delays: readonly SeenDelay[];
  readonly notes: readonly Note[];
}

/** Everything that was observed from outside, on its way to the page. */
@Injectable()
export class Observations {
  private decisions: SeenDecision[] = [];
  private delays: SeenDelay[] = [];
  private notes: Note[] = [];
  /** Logouts whose effect on the other instances was measured. */
  followed = 0;
  /** Answers that accepted a token after the bound: there must be none. */
  late = 0;

  sawDecision(instance: string, at: number, decision: Decision): void {
    this.decisions.push([instance, at, decision]);
  }

  sawDelay(instance: string, at: number, delay: number): void {
    this.delays.push([instance, at, delay]);
  }

  note(sentence: string): void {
    this.notes.push([now(), sentence]);
  }

  take(): Seen {
    const { decisions, delays, notes } = this;
    this.decisions = [];
    this.delays = [];
    this.notes = [];
    return { decisions, delays, notes };
  }
}
