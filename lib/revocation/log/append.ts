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
 * Appends events to the log and retries with the same ids, so that no event is written twice. The
 * first attempt is one statement where the database can do that.
 *
 * @param patience - Milliseconds after which an error is no longer retried.
 * @param isRetry - Whether an earlier call may have committed the events. Then it looks for them
 * before it writes.
 * @throws StorageFailure with the outcome `unknown` if any attempt may have been committed (W4).
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
      // Once an attempt is in doubt, a later failure does not make the outcome known: only a look
      // under the head lock does.
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

/**
 * After the single statement failed or was not allowed, the transaction of several statements is
 * used for this long (ms).
 */
const PAUSE = 10_000;

/**
 * Appends events in one statement, which is one round trip (W1). It only serves the first attempt
 * to revoke tokens and sessions for the first time, which needs no lock on an account. Everything
 * else, and every retry, uses {@link LogTransactions.append}.
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
   * Writes all events, or none and returns `undefined`. It returns `undefined` if one of them may
   * repeat an earlier event, if the log may have to jump first, or if the settings of the
   * connection do not allow it.
   *
   * @throws StorageFailure after which the transaction of several statements can be tried.
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
    // A test clock replaces the database's time. The real clock returns its argument, so NaN means:
    // use the time of the database.
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
      // The server may still run this statement after the connection broke, so a look that does not
      // find it proves nothing.
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

/**
 * Whether each draft has a key of its own. If two drafts revoke the same session, the transaction
 * of several statements decides whether the second one is a repetition.
 */
function haveOwnKeys(drafts: readonly EventDraft[]): boolean {
  return drafts.length === 1 || new Set(drafts.map(({ key }) => key)).size === drafts.length;
}
