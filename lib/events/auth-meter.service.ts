import { Injectable } from '@nestjs/common';
import { AuthException } from '../errors/auth.exception.js';
import type { AuthErrorCode } from '../errors/error-codes.js';
import type { AuthEventScope } from './auth-events.service.js';

/** What is counted, and the labels of each count; never the id of a user. */
export interface AuthCounts {
  /** Refusals (4xx) by code. */
  refusals: AuthErrorCode;
  /** 503s by code. */
  unavailable: AuthErrorCode;
  /** Requests that were accepted without a proof that is fresh enough, by what allowed it. */
  staleAccepted: 'open' | 'stale_for' | 'override' | 'observe';
  /** Rounds of the feed; a round reaches the head, or fails. */
  polls: 'ok' | 'failed';
  /** Complete readings of the log, by what made one necessary. */
  loads: 'start' | 'purge' | 'fork';
  /** Changes of the log's history: found (`fork`), or entered by this instance (`jump`). */
  histories: 'fork' | 'jump';
  /** Revocations that this instance committed, by how much each ends. */
  revocations: AuthEventScope;
  /** Revocations that failed: they could not be stored. */
  revocationFailures: AuthEventScope;
  /** Transactions in which revocations were committed; concurrent ones share one. */
  batches: 'shared' | 'account';
  /** Runs of the purge; `elsewhere`: another instance was at it; `clocks`: host and database differ. */
  purges: 'done' | 'elsewhere' | 'clocks' | 'failed';
  /** Rows deleted by the purge: of the log, and of sessions, their tokens and accounts. */
  purgedRows: 'log' | 'sessions';
  /** Hints to other instances, from other instances, and those that could not be sent. */
  hints: 'told' | 'heard' | 'failed';
}

/** What is only ever known by its last value. */
export interface AuthLevels {
  /** Known live events that the last change of the history had lost. */
  eventsLost: number;
  /** Pending revocations that the database refuses to number; they go on counting. */
  pendingUnnumbered: number;
  /** By how much this host's clock is ahead of the database's (ms); negative: behind. */
  clockAhead: number;
}

/**
 * Counts what this instance does, for whoever reads it: plain numbers since the start of the process,
 * cheap enough for a refusal. What is accepted by a fresh proof is not counted: it is free (P11).
 */
@Injectable()
export class AuthMeter {
  private readonly counts = new Map<keyof AuthCounts, Map<string, number>>();
  private readonly levels: AuthLevels = { eventsLost: 0, pendingUnnumbered: 0, clockAhead: 0 };
  /** Refusals pass several edges on their way out, and are counted at the first. */
  private readonly refused = new WeakSet<AuthException>();
  private readonly watchers = new Set<(milliseconds: number) => void>();

  /** Adds to a count. */
  count<Name extends keyof AuthCounts>(name: Name, label: AuthCounts[Name], by = 1): void {
    let counts = this.counts.get(name);
    if (counts === undefined) this.counts.set(name, (counts = new Map()));
    counts.set(label, (counts.get(label) ?? 0) + by);
  }

  /** Counts what a caller is refused by, once for each exception; anything else is not counted. */
  refuse(error: unknown): void {
    if (!(error instanceof AuthException) || this.refused.has(error)) return;
    this.refused.add(error);
    this.count(error.getStatus() === 503 ? 'unavailable' : 'refusals', error.code);
  }

  /** What a call gives; what it refuses is counted on its way out. */
  async refusalsOf<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      this.refuse(error);
      throw error;
    }
  }

  /** A round of the feed that reached the head, and how long it took (ms). */
  observePoll(milliseconds: number): void {
    this.count('polls', 'ok');
    for (const watch of this.watchers) watch(milliseconds);
  }

  /** Tells how long each round of the feed takes (ms), from now on. */
  watchPolls(watch: (milliseconds: number) => void): void {
    this.watchers.add(watch);
  }

  /** Notes the last value of something. */
  set(name: keyof AuthLevels, value: number): void {
    this.levels[name] = value;
  }

  /** The last value of something. */
  level(name: keyof AuthLevels): number {
    return this.levels[name];
  }

  /** A count by its labels, as far as there was anything to count. */
  read<Name extends keyof AuthCounts>(name: Name): ReadonlyMap<AuthCounts[Name], number> {
    return (this.counts.get(name) ?? new Map()) as ReadonlyMap<AuthCounts[Name], number>;
  }
}
