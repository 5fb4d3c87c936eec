import {
  type LogEvent,
  SUPPORTED_FORMAT,
} from '../../database/entities/revocation-event.entity.js';
import { integerOf } from '../../database/entities/table.js';
import { InstanceStatements } from '../../database/instance.statements.js';
import type { LogDatabase } from '../../database/log-database.js';
import { eventOf, type Head, headOf, LogStatements } from '../../database/log.statements.js';
import type { Row } from '../../database/statement.js';
import { AuthWiringError } from '../../errors/auth-wiring.error.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import { AppendAtOnce } from './append.js';
import { InstancePresence } from './instance-presence.js';
import { type HistorySettings, LogHistory, readHead } from './log-history.js';
import { LogTransactions } from './log.transactions.js';

/**
 * An open revocation log: its connections, its statements, and what this process knows about its
 * history.
 */
export interface OpenLog {
  readonly database: LogDatabase;
  readonly statements: LogStatements;
  readonly transactions: LogTransactions;
  /** Writes in one statement; `undefined` if the database does not support that. */
  readonly appendAtOnce: AppendAtOnce | undefined;
  /** Decides whether it is still the log that this process knows. */
  readonly history: LogHistory;
  /** The id of the log, from a row of `auth_log` that is never updated. */
  readonly id: string;
  /** The row of this instance in it. */
  readonly instance: InstancePresence;
}

/** The parsed answer to one poll. */
export interface Answer {
  readonly logId: string;
  readonly head: Head;
  /**
   * Events from the cursor on, in order of position. The event at the cursor is included, so that
   * the reader can check that it is unchanged.
   */
  readonly events: readonly LogEvent[];
  /** Committed events of callers' transactions that have no position yet (C2). */
  readonly pending: readonly LogEvent[];
}

/**
 * Opens the log in a database whose tables have been checked.
 *
 * @throws AuthWiringError if a newer release writes a format that this one does not understand
 * (H5).
 */
export async function openLogOn(
  database: LogDatabase,
  clock: AuthClock,
  settings: Omit<HistorySettings, 'isFollowed'> = {},
): Promise<OpenLog> {
  const isFollowed = await isAnyInstanceRunning(database);
  const log = logOn(database, clock, '', { ...settings, isFollowed });
  const { head, logId } = await readHead(log, clock);
  if (head.format > SUPPORTED_FORMAT) {
    throw new AuthWiringError(
      `AuthModule: the revocation log has format ${head.format}, which a newer release of nestjs-logout ` +
        `writes; this one understands format ${SUPPORTED_FORMAT}.`,
      'Update nestjs-logout in this application.',
    );
  }
  return { ...log, id: logId };
}

/** Makes an {@link OpenLog} for a known id, without a query. */
export function logOn(
  database: LogDatabase,
  clock: AuthClock,
  id: string,
  settings?: HistorySettings,
): OpenLog {
  const statements = new LogStatements(database.dialect);
  const history = new LogHistory(settings);
  const transactions = new LogTransactions(statements, clock, history);
  const { oneStatement } = database.dialect;
  const appendAtOnce =
    oneStatement && new AppendAtOnce(database.dialect, oneStatement, clock, history);
  const instance = new InstancePresence(database.dialect, clock);
  return { database, statements, transactions, appendAtOnce, history, id, instance };
}

/**
 * Parses the rows of one poll. Each row has the head, and the columns of an event if there is one.
 */
export function answerOf(rows: readonly Row[], clock: Pick<AuthClock, 'database'>): Answer {
  const head = headOf(rows[0], clock);
  const events = rows.filter((row) => row['event_id'] !== null).map(eventOf);
  return {
    logId: rows[0]?.['log_id'] ?? '',
    head,
    events: events
      .filter(({ position }) => position !== null)
      .toSorted((one, other) => (one.position ?? 0) - (other.position ?? 0)),
    pending: events.filter(({ position }) => position === null),
  };
}

/**
 * Whether an instance renewed its row within the last 90 seconds (H3). In a restored backup these
 * rows are as old as everything else, so a fresh row shows that the log is not a backup.
 */
async function isAnyInstanceRunning(database: LogDatabase): Promise<boolean> {
  const { rows } = await database.read(new InstanceStatements(database.dialect).countRunning());
  return integerOf(rows[0]?.['running']) > 0;
}
