import { isRetryable, StorageFailure } from '../../database/log-database.js';
import { retried } from '../../platform/async-calls.js';
import { messageOf } from '../../platform/log-text.js';
import type { EventDraft } from './event-draft.js';
import { isInDoubt, numbering } from './log-history.js';
import type { AppendedDrafts } from './log.transactions.js';
import type { OpenLog } from './open-log.js';

/**
 * Appends events, and tries again with the same ids. The first attempt is one statement where it can be.
 *
 * @param patience - Milliseconds after which an error is no longer retried.
 * @param isRetry - An earlier attempt may have committed them: it looks before it writes.
 * @throws StorageFailure with the outcome `unknown` while any attempt may have been committed (W4).
 */
export async function appendRetried(
  log: OpenLog,
  drafts: readonly EventDraft[],
  patience: number,
  isRetry = false,
): Promise<AppendedDrafts> {
  let isFirst = !isRetry;
  let isUnknown = isRetry;
  const once = async (): Promise<AppendedDrafts> => {
    const wasFirst = isFirst;
    isFirst = false;
    try {
      const appended = wasFirst ? await log.appendAtOnce?.run(log.database, drafts) : undefined;
      return appended ?? (await numbering(log, () => log.transactions.append(drafts, isUnknown)));
    } catch (error) {
      if (isInDoubt(error)) {
        isUnknown = true;
        for (const draft of drafts) draft.provenAbsent = false;
      } else if (drafts.every(({ provenAbsent }) => provenAbsent)) isUnknown = false;
      throw error;
    }
  };
  try {
    return await retried(once, patience, isRetryable);
  } catch (error) {
    if (!isUnknown || isInDoubt(error)) throw error;
    const advice = error instanceof StorageFailure ? error.advice : undefined;
    throw new StorageFailure('unknown', messageOf(error), false, error, advice);
  }
}
