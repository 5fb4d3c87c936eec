import { Logger } from '@nestjs/common';
import { StorageFailure, type Via } from '../../database/log-database.js';
import { type Head, type ReadHead, readHeadOf } from '../../database/log.statements.js';
import type { Transaction } from '../../database/statement.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import type { Appended } from './log.transactions.js';
import type { OpenLog } from './open-log.js';

/**
 * How many positions a jump skips: more than a failover can have lost. In microseconds it is one
 * second. A larger jump could put the log so far ahead of the clock that, if that jump were lost
 * too, the next one would assign its positions again.
 */
export const JUMP = 1e6;

/**
 * Milliseconds to microseconds. A jump goes to the current time in microseconds, because no log has
 * assigned that many positions.
 */
const MICROSECONDS = 1_000;

/**
 * Rolls a transaction back, because the log may have lost commits and has to jump first
 * (docs/protocol.md, H2).
 */
export class HistoryLost extends Error {
  override readonly name = 'HistoryLost';
}

/** Why a log jumps at a start: no instance can have noticed a restored backup (H3). */
export const UNKNOWN_AT_START = 'no running instance can vouch for it';

/** What is known of a log when it is opened. */
export interface HistorySettings {
  /** Whether a running instance follows the log. It would have noticed a restored backup (H3). */
  readonly isFollowed?: boolean;
  /**
   * The longest lifetime of this instance's tokens (ms). The gap of a jump is kept at least that
   * long.
   */
  readonly maxTokenLife?: number;
  /** Called after each jump that this process made. */
  readonly onJump?: (() => void) | undefined;
}

/**
 * Another log answers than the one that this instance follows, because an address changed.
 *
 * Meanwhile the instance answers 503. It reads nothing from that log and writes nothing to it.
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
 * Decides whether the log still has the history that this instance knows: the same server wrote it,
 * and its head is not behind what this instance has seen. If not, positions could be assigned
 * twice, and a token with such a position would escape its revocation (H2).
 *
 * Specified in docs/protocol.md, "Histories".
 */
export class LogHistory {
  /** The highest position that this instance has seen. Read it before sending a statement. */
  seen = 0;
  /**
   * The latest time that the database has shown (epoch ms), even if its clock was set back since.
   */
  latestTime = 0;
  private id: string | undefined;
  /** The position of the head that contradicted what was known (H1). */
  private contradictedAt: number | undefined;
  private hasJumped = false;
  /** Whether the last head that was read belongs to the known history. */
  private wasKept = false;

  constructor(private readonly settings: HistorySettings = {}) {}

  /** Whether no running instance vouches for the log, and it has not jumped since (H3). */
  get isUnknown(): boolean {
    return this.settings.isFollowed === false && !this.hasJumped;
  }

  /** What a single statement compares with the head; `undefined` while the log may have to jump. */
  get known(): { readonly logId: string; readonly seen: number } | undefined {
    const { id, seen, wasKept } = this;
    return id === undefined || !wasKept ? undefined : { logId: id, seen };
  }

  /**
   * Checks which log answered. The first one is followed until the process ends.
   *
   * @param id - `undefined` if the statement did not read it.
   * @throws AnotherLog when it is another one.
   */
  identify(id: string | null | undefined): void {
    if (id === undefined) return;
    this.id ??= id ?? undefined;
    if (id === null || this.id !== id)
      throw new AnotherLog(this.id ?? 'none', id ?? 'without an id');
  }

  /** Records a position of the log: of the cursor, of an own write, or of a head that was read. */
  notice(position: number): void {
    if (position > this.seen) this.seen = position;
  }

  /** Records the position and the time of a head of the known history. */
  noticeHead({ position, now }: Head): void {
    this.notice(position);
    this.noticeTime(now);
  }

  /** Records a time of the database, because tokens may have been signed at it. */
  noticeTime(now: number): void {
    if (now > this.latestTime) this.latestTime = now;
  }

  /**
   * Records that an answer with this head contradicted what is known (H1). Only a jump ends that
   * state.
   */
  contradict(head: Head): void {
    this.contradictedAt = head.position;
    this.wasKept = false;
  }

  /**
   * Why the log has to jump, or `undefined` if its history is the known one.
   *
   * @param seen - {@link LogHistory.seen} from before the statement that read the head was sent.
   * With a later value, a slow answer would look like a loss.
   */
  whyLost(head: Head, seen: number): string | undefined {
    const why = this.lossOf(head, seen);
    this.wasKept = why === undefined;
    return why;
  }

  private lossOf(head: Head, seen: number): string | undefined {
    if (head.server !== null && head.serverNow !== null && head.server !== head.serverNow) {
      return `server ${head.serverNow} answers, and ${head.server} wrote it last`;
    }
    if (head.position < seen) return `its head is at ${head.position}, and ${seen} was seen of it`;
    // A head this far beyond means that another instance has jumped already.
    if (this.contradictedAt !== undefined && head.position < this.contradictedAt + JUMP) {
      return 'it contradicts what was read of it';
    }
    // The database may be a restored backup, which nothing in it would show (H3).
    if (head.serverNow === null ? !this.hasJumped : this.isUnknown) return UNKNOWN_AT_START;
    return undefined;
  }

  /** @throws HistoryLost when positions could be assigned again. */
  assertKept(head: Head, seen: number): void {
    const why = this.whyLost(head, seen);
    if (why !== undefined) throw new HistoryLost(`The revocation log may be another: ${why}.`);
  }

  /**
   * How long the gap of a jump is kept (ms): as long as a token of the lost history can be valid.
   */
  gapLife(head: Head): number {
    return Math.max(head.maxTokenLife, this.settings.maxTokenLife ?? 0);
  }

  /** The position of a jump: beyond every position of every history of this log. */
  beyond(head: Head): number {
    return Math.max(head.position, head.now * MICROSECONDS, this.seen) + JUMP;
  }

  /** Records that a jump to this position was committed, by this instance or by another one. */
  jumped(position: number, isOwn = false): void {
    this.notice(position);
    this.contradictedAt = undefined;
    this.hasJumped = true;
    if (isOwn) this.settings.onJump?.();
  }
}

/**
 * The most jumps of one transaction or read. A second failover can follow the first, but not many.
 */
const MOST_JUMPS = 3;

const logger = new Logger('RevocationLog');

/**
 * Runs a transaction that assigns positions to events. If the log may have lost commits, it jumps
 * first in a transaction of its own, and the body starts again (H2).
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

/** Whether the failed transaction may have been committed nevertheless. */
export function isInDoubt(error: unknown): boolean {
  return error instanceof StorageFailure && error.outcome === 'unknown';
}

/**
 * Reads the head on the primary.
 *
 * @throws AnotherLog if it is not the log that this process follows.
 */
export async function readHead(log: OpenLog, clock: AuthClock, via?: Via): Promise<ReadHead> {
  const { rows } = await log.database.read(log.statements.position(), via);
  const [row] = rows;
  log.history.identify(row?.['log_id']);
  return readHeadOf(row, clock);
}

/**
 * Reads the head for a load or a new token. If the log may have lost commits, it jumps first (H2),
 * so that no token is signed at a position of a lost history or at one that will be assigned again.
 */
export async function readKeptHead(log: OpenLog, clock: AuthClock, via?: Via): Promise<ReadHead> {
  const { history } = log;
  for (let jumps = 0; ; jumps++) {
    const { seen } = history;
    const read = await readHead(log, clock, via);
    const why = history.whyLost(read.head, seen);
    if (why === undefined) {
      history.noticeHead(read.head);
      return read;
    }
    if (jumps === MOST_JUMPS) throw new HistoryLost(`The revocation log changes: ${why}.`);
    await jump(log, via);
  }
}

/** If the outcome of the jump is unknown, the events of the caller were certainly not committed. */
async function jumpOrFail(log: OpenLog): Promise<void> {
  try {
    await jump(log);
  } catch (error) {
    if (!(error instanceof StorageFailure) || error.outcome !== 'unknown') throw error;
    throw new StorageFailure('rolled back', 'The revocation log could not jump.', true, error);
  }
}

/**
 * Moves the log beyond every position that a lost history can have assigned, unless another
 * instance has done so. Returns whether this call did.
 *
 * @param via - `feed`: on the connection of the feed, between two polls.
 * @param wishOf - Returns a further reason to jump, given the locked head.
 */
export async function jump(
  log: OpenLog,
  via?: Via,
  wishOf?: (head: Head) => string | undefined,
): Promise<boolean> {
  const { history } = log;
  const { seen } = history;
  let why: string | undefined;
  const { head, events } = await log.database.transaction(
    () =>
      log.transactions.jump((found) => {
        why = history.whyLost(found, seen) ?? wishOf?.(found);
        return why !== undefined;
      }),
    via,
  );
  const [event] = events;
  history.jumped(event?.position ?? head.position, event !== undefined);
  if (event === undefined) return false;
  // A log that no other instance follows jumps at each start, which is normal.
  const level = why === UNKNOWN_AT_START ? 'debug' : 'warn';
  logger[level](`The revocation log continues at position ${event.position}: ${why}.`);
  return true;
}
