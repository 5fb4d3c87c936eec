import { Logger } from '@nestjs/common';
import type { OpenLog } from './open-log.js';
import { HistoryLost, UNKNOWN_AT_START } from './log-history.js';
import { StorageFailure, type Via } from '../../database/log-database.js';
import type { Head } from '../../database/log-rows.js';
import type { Appended } from './log.transactions.js';
import type { Transaction } from '../../database/statement.js';

/** A jump, and what made it necessary, can meet a second fail-over; not many in a row. */
export const MOST_JUMPS = 3;

/** A reason to jump that the history itself does not give. */
export interface JumpWish {
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
