import { jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { TestClock } from 'nestjs-logout/testing';
import type { Instance } from './instance.js';
import { type Answer, type Head, LogCursor, type LogEvent } from './internals.js';
import { eventually } from './eventually.js';

/** As {@link startInstance} names it. */
export const ISSUER = 'https://issuer.test';

/** An instance that stays where its test put it: 503 at once instead of waiting. */
export const NEVER_WAIT = { staleWait: 0 } as const;

/** The clock of an instance that a test started with a {@link TestClock}. */
export function clockOf(instance: Instance): TestClock {
  if (instance.clock instanceof TestClock) return instance.clock;
  throw new Error('This instance has a real clock.');
}

/**
 * Lets time pass on every clock of an instance, without the timers that would act on it.
 *
 * @param total - Milliseconds since the clock was created.
 */
export function letTimePass(clock: TestClock, total: number): void {
  clock.skewWall(total);
  clock.skewDatabase(total);
  jest.spyOn(clock, 'monotonic').mockReturnValue(total);
}

/** What a test does to the polls of one instance. */
export interface PollControl {
  /** How many statements were sent since. */
  readonly count: number;
  /** From now on each answer waits, as if in the socket, until {@link release}. */
  hold(): void;
  /** Releases the held answers, and later ones. */
  release(): void;
  /** From now on the database is away. */
  fail(): void;
  /** Resolves when so many polls were sent and are answered, held or not. */
  answered(count: number): Promise<void>;
}

/** Puts a test between an instance and the answers to its polls; the statements are real. */
export async function controlPolls(instance: Instance): Promise<PollControl> {
  const { database } = await instance.open();
  const send = database.poll.bind(database);
  let gate: { promise: Promise<void>; open: () => void } | undefined;
  let isAway = false;
  let count = 0;
  let answers = 0;
  let watchers: { count: number; done: () => void }[] = [];
  jest.spyOn(database, 'poll').mockImplementation(async (...given) => {
    count++;
    if (isAway) throw new Error('The database is away.');
    const held = gate;
    const answer = await send(...given);
    answers++;
    watchers = watchers.filter((watcher) => {
      if (watcher.count <= answers) watcher.done();
      return watcher.count > answers;
    });
    await held?.promise;
    return answer;
  });
  return {
    get count() {
      return count;
    },
    hold: () => {
      let open = (): void => undefined;
      const promise = new Promise<void>((resolve) => (open = resolve));
      gate = { promise, open };
    },
    release: () => {
      gate?.open();
      gate = undefined;
    },
    fail: () => (isAway = true),
    answered: (wanted) =>
      answers >= wanted
        ? Promise.resolve()
        : new Promise((done) => watchers.push({ count: wanted, done })),
  };
}

/** Ends so many sessions that do not exist; one event each. */
export async function endSessions(instance: Instance, count: number): Promise<string[]> {
  const sids = Array.from({ length: count }, () => randomUUID());
  for (let start = 0; start < count; start += 2_000) {
    await instance.log.append(
      sids
        .slice(start, start + 2_000)
        .map((sid) => ({ kind: 'session' as const, issuer: ISSUER, sid })),
    );
  }
  return sids;
}

/** Whether an instance knows that this session has ended. */
export function knows(instance: Instance, sid: string): boolean {
  return instance.index.find({ iss: ISSUER, sid }) !== undefined;
}

/** What was logged as an error from here on. */
export function listenForErrors(): () => string[] {
  const spy = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
  return () => spy.mock.calls.map(([message]) => String(message));
}

/** The id of the n-th event of a made-up log. */
export function idAt(position: number): string {
  return position.toString(16).padStart(32, '0');
}

/** An event of a made-up log; pending ones have position `null` and need an id. */
export function eventAt(position: number | null, more: Partial<LogEvent> = {}): LogEvent {
  return {
    position,
    id: idAt(position ?? 0),
    kind: 'session',
    key: idAt(position ?? 0),
    killsBelow: null,
    except: null,
    accessOnly: false,
    issuedBefore: null,
    until: null,
    reason: 'logout',
    ...more,
  };
}

/** The head of a made-up log. */
export function headAt(position: number, more: Partial<Head> = {}): Head {
  return {
    position,
    lastEventId: position === 0 ? null : idAt(position),
    purgedThrough: 0,
    format: 1,
    maxStaleness: 5_000,
    maxTokenLife: 900_000,
    server: null,
    serverNow: null,
    isReadOnly: false,
    now: 1_000_000,
    ...more,
  };
}

/** An answer as a poll gets it: the event at the cursor first. */
export function answerFrom(
  head: Head,
  positions: readonly number[],
  more?: Partial<Answer>,
): Answer {
  return {
    logId: 'log',
    head,
    events: positions.map((position) => eventAt(position)),
    pending: [],
    ...more,
  };
}

/** A cursor that loaded a made-up log up to here. */
export function cursorAt(position: number): LogCursor {
  const cursor = new LogCursor();
  cursor.start('log', headAt(position));
  return cursor;
}

/**
 * Makes an instance whose polls failed follow the log again, because the backoff decides when it
 * asks.
 */
export async function followAgain(instance: Instance): Promise<void> {
  await eventually(() => {
    clockOf(instance).advance(200);
    return instance.feed.strictProof(60_000);
  });
}
