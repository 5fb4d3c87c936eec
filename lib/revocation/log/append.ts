import {
  AppendAtOnceStatement,
  type EndToAppend,
  wasAllowed,
  writtenUnder,
} from '../../database/append-at-once.statement.js';
import type { Dialect, OneStatement } from '../../database/dialect.js';
import { isRetryable, type LogDatabase, StorageFailure } from '../../database/log-database.js';
import type { Statement, StatementResult } from '../../database/statement.js';
import { retried } from '../../platform/async-calls.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import { messageOf } from '../../platform/log-text.js';
import { type EventDraft, numbered } from './event-draft.js';
import { isInDoubt, type LogHistory, numbering } from './log-history.js';
import type { AppendedDrafts } from './log.transactions.js';
import type { OpenLog } from './open-log.js';
import { KEEPING } from './retention.js';

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

/** For how long the several statements are used after the one failed, or was not allowed (ms). */
const PAUSE = 10_000;

/**
 * W1 in one statement, so one round trip: the first attempt to write the first ends of tokens and
 * sessions, which need no lock on an account. Whatever else there is to write takes
 * {@link LogTransactions.append}, and so does every retry.
 */
export class AppendAtOnce {
  private readonly statement: AppendAtOnceStatement;
  private pausedUntil = -Infinity;

  constructor(
    dialect: Dialect,
    oneStatement: OneStatement,
    private readonly clock: AuthClock,
    private readonly history: LogHistory,
  ) {
    this.statement = new AppendAtOnceStatement(dialect, oneStatement, KEEPING);
  }

  /**
   * Writes all of them, or nothing and gives `undefined`: one of them may repeat an earlier end, the log may
   * have to jump, or the connection has other settings.
   *
   * @throws StorageFailure after which the several statements can be tried.
   */
  async run(
    database: LogDatabase,
    drafts: readonly EventDraft[],
  ): Promise<AppendedDrafts | undefined> {
    const { clock, history } = this;
    const { known } = history;
    if (known === undefined || !drafts.every(isEnd) || !haveOwnKeys(drafts)) return undefined;
    if (clock.monotonic() < this.pausedUntil) return undefined;
    const host = Math.max(history.latestTime, clock.wall());
    // A test's clock says what the database's time is; the real one hands on what it is given.
    const now = clock.database(NaN);
    const statement = this.statement.of(drafts, known, host, Number.isNaN(now) ? null : now);
    const { rows } = await this.send(database, statement, drafts);
    const [row] = rows;
    if (row === undefined || !wasAllowed(row)) this.pause();
    const head = row && writtenUnder(row, clock);
    if (head === undefined) return undefined;
    history.noticeTime(head.now);
    const latest = Math.max(head.now, host);
    const events = drafts.map((draft, index) =>
      numbered(draft, head, head.position + 1 + index, latest),
    );
    history.notice(head.position + events.length);
    return { head, events, eventOf: new Map(events.map((event) => [event.id, event])) };
  }

  private async send(
    database: LogDatabase,
    statement: Statement,
    drafts: readonly EventDraft[],
  ): Promise<StatementResult> {
    try {
      return (await database.transactionOf?.(statement)) ?? { rows: [], affected: 0 };
    } catch (error) {
      this.pause();
      if (isInDoubt(error)) for (const draft of drafts) draft.mayStillCome = true;
      throw error;
    }
  }

  private pause(): void {
    this.pausedUntil = this.clock.monotonic() + PAUSE;
  }
}

function isEnd(draft: EventDraft): draft is EventDraft & Pick<EndToAppend, 'kind'> {
  return draft.kind === 'token' || draft.kind === 'session';
}

/** Two ends of one session: whether the later one repeats the earlier, the several statements judge. */
function haveOwnKeys(drafts: readonly EventDraft[]): boolean {
  return drafts.length === 1 || new Set(drafts.map(({ key }) => key)).size === drafts.length;
}
