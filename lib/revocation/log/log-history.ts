import { Logger } from '@nestjs/common';
import { StorageFailure, type Via } from '../../database/log-database.js';
import type { Head } from '../../database/log-rows.js';
import type { Transaction } from '../../database/statement.js';
import type { Appended } from './log.transactions.js';
import type { OpenLog } from './open-log.js';

/**
 * How far a jump leaps beyond the head: more than the events that a fail-over can have lost, and no more
 * than a second of the clock. A log that runs ahead of the clock for longer meets, in the next jump after
 * a lost one, the very positions of the lost one.
 */
export const JUMP = 1e6;

/** Positions of a jump are microseconds: no log has handed out more of them than its life has had. */
const MICROSECONDS = 1_000;

/**
 * The log may have lost commits: before anything is numbered, it has to jump (docs/protocol.md, H2).
 *
 * Thrown inside a transaction, which it rolls back.
 */
export class HistoryLost extends Error {
  override readonly name = 'HistoryLost';
}

/** Why a log jumps at a start: no instance can have noticed that a backup was put back (H3). */
export const UNKNOWN_AT_START = 'no running instance can vouch for it';

/** What is known of a log when it is opened. */
export interface HistorySettings {
  /** Whether a running instance follows it, which would have noticed that a backup was put back (H3). */
  readonly isFollowed?: boolean;
  readonly maxTokenLife?: number;
}

/**
 * Another log answers than the one that this instance follows: an address leads elsewhere.
 *
 * The instance is closed while it does. It takes nothing over from that log and writes nothing to it.
 */
export class AnotherLog extends Error {
  override readonly name = 'AnotherLog';

  constructor(known: string, found: string) {
    super(
      `The revocation log ${found} answers, and this instance follows the log ${known}. Connect the ` +
        'DataSource to the database that it was started with, or restart the application to follow the other log.',
    );
  }
}

/**
 * Whether the log is still the one that this instance knows, so that no position is ever handed out
 * twice (H2): the same server wrote it, and its head is never behind what was seen of it.
 */
export class LogHistory {
  private id: string | undefined;
  private highest = 0;
  private readonly isFollowed: boolean;
  /** The longest lifetime of this instance's tokens (ms): for so long a jump's gap is kept at least. */
  readonly maxTokenLife: number;
  /** The head of an answer that contradicted what was known (H3). */
  private contradictedAt: number | undefined;
  private hasJumped = false;
  private latest = 0;
  /** Called after each jump that this process has made. */
  onJump: () => void = () => undefined;

  constructor({ isFollowed = true, maxTokenLife = 0 }: HistorySettings = {}) {
    this.isFollowed = isFollowed;
    this.maxTokenLife = maxTokenLife;
  }

  /** The highest position that this instance has ever seen; take it before a statement is sent. */
  get seen(): number {
    return this.highest;
  }

  /** Whether no running instance can vouch for it, and it has not jumped since (H3). */
  get isUnknown(): boolean {
    return !this.isFollowed && !this.hasJumped;
  }

  /**
   * Which log answered; the first one is the one that is followed, until the process ends.
   *
   * @param id - `undefined` where the statement did not ask.
   * @throws AnotherLog when it is another one.
   */
  identify(id: string | null | undefined): void {
    if (id === undefined) return;
    this.id ??= id ?? undefined;
    if (id === null || this.id !== id)
      throw new AnotherLog(this.id ?? 'none', id ?? 'without an id');
  }

  /** A position of the log: the cursor's, an own write's, or one that was read. */
  notice(position: number): void {
    if (position > this.highest) this.highest = position;
  }

  /** The latest time that the database has shown (epoch ms), also where its clock went back since. */
  get latestTime(): number {
    return this.latest;
  }

  /** A time that the database showed: tokens may have been signed by it. */
  noticeTime(now: number): void {
    if (now > this.latest) this.latest = now;
  }

  /** An answer under this head contradicted what is known (H1): only a jump ends that. */
  contradict(head: Head): void {
    this.contradictedAt = head.position;
  }

  /**
   * Why the log has to jump, or `undefined` when it is the one that is known.
   *
   * @param seen - {@link LogHistory.seen} from before the statement that read the head was sent: an
   * answer that was overtaken is no loss.
   */
  whyLost(head: Head, seen: number): string | undefined {
    if (head.server !== null && head.serverNow !== null && head.server !== head.serverNow) {
      return `server ${head.serverNow} answers, and ${head.server} wrote it last`;
    }
    if (head.position < seen) return `its head is at ${head.position}, and ${seen} was seen of it`;
    // Somebody else's jump is as good as one's own.
    if (this.contradictedAt !== undefined && head.position < this.contradictedAt + JUMP) {
      return 'it contradicts what was read of it';
    }
    // It may be an old copy, and nothing in it says so (H3).
    if (head.serverNow === null ? !this.hasJumped : this.isUnknown) return UNKNOWN_AT_START;
    return undefined;
  }

  /** @throws HistoryLost when positions could be handed out again. */
  assertKept(head: Head, seen: number): void {
    const why = this.whyLost(head, seen);
    if (why !== undefined) throw new HistoryLost(`The revocation log may be another: ${why}.`);
  }

  /** Where a jump goes: beyond every position of every history of this log. */
  beyond(head: Head): number {
    return Math.max(head.position, head.now * MICROSECONDS, this.highest) + JUMP;
  }

  /** A jump to this position was committed, or found to have been. */
  jumped(position: number): void {
    this.notice(position);
    this.contradictedAt = undefined;
    this.hasJumped = true;
  }
}

/** A jump, and what made it necessary, can meet a second fail-over; not many in a row. */
export const MOST_JUMPS = 3;

/** A reason to jump that the history itself does not give. */
interface JumpWish {
  /** Why, or `undefined` when there is no need any more under this head. */
  whyUnder(head: Head): string | undefined;
}

const logger = new Logger('RevocationLog');

/**
 * Runs a transaction that numbers events. Where the log may have lost commits it jumps first, in a
 * transaction of its own, and the body starts again (H2).
 *
 * @throws StorageFailure as {@link LogDatabase.transaction}.
 */
export async function numbering<T extends Appended>(
  log: OpenLog,
  body: () => Transaction<T>,
): Promise<T> {
  for (let jumps = 0; ; jumps++) {
    try {
      const appended = await log.database.transaction(body);
      for (const { position } of appended.events) log.history.notice(position ?? 0);
      return appended;
    } catch (error) {
      const isLost = error instanceof StorageFailure && error.cause instanceof HistoryLost;
      if (!isLost || jumps === MOST_JUMPS) throw error;
      await jumpOrFail(log);
    }
  }
}

/** Of a jump that was not answered the caller learns only that nothing of his own was committed. */
async function jumpOrFail(log: OpenLog): Promise<void> {
  try {
    await jump(log);
  } catch (error) {
    if (!(error instanceof StorageFailure) || error.outcome !== 'unknown') throw error;
    throw new StorageFailure('rolled back', 'The revocation log could not jump.', true, error);
  }
}

/**
 * Makes the log leap beyond every position that a lost history can have handed out, unless another
 * instance has done so; returns whether it did.
 *
 * @param wish - For a jump that the head alone does not ask for.
 * @param via - `feed` between two polls of the feed.
 */
export async function jump(log: OpenLog, wish?: JumpWish, via?: Via): Promise<boolean> {
  const { history } = log;
  const { seen } = history;
  let why: string | undefined;
  const { head, events } = await log.database.transaction(
    () =>
      log.transactions.jump((found) => {
        why = history.whyLost(found, seen) ?? wish?.whyUnder(found);
        return why !== undefined;
      }),
    via,
  );
  const [event] = events;
  history.jumped(event?.position ?? head.position);
  if (event === undefined) return false;
  history.onJump();
  // A log that no other instance follows jumps at each start: nothing happened.
  const level = why === UNKNOWN_AT_START ? 'debug' : 'warn';
  logger[level](`The revocation log goes on at position ${event.position}: ${why}.`);
  return true;
}
