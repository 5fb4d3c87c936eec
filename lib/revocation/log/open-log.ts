import { SUPPORTED_FORMAT } from '../../database/entities/revocation-event.entity.js';
import { InstanceStatements } from '../../database/instance.statements.js';
import type { LogDatabase } from '../../database/log-database.js';
import { headOf } from '../../database/log-rows.js';
import { LogStatements } from '../../database/log.statements.js';
import { integerOf } from '../../database/entities/table.js';
import { AuthWiringError } from '../../errors/auth-wiring.error.js';
import type { AuthClock } from '../../platform/auth-clock.js';
import { InstancePresence } from './instance-presence.js';
import { type HistorySettings, LogHistory } from './log-history.js';
import { LogTransactions } from './log.transactions.js';

/** The log's own connections, with the statements that fit them and what is known of its history. */
export interface OpenLog {
  readonly database: LogDatabase;
  readonly statements: LogStatements;
  readonly transactions: LogTransactions;
  /** Whether it is still the log that this process knows. */
  readonly history: LogHistory;
  /** Which log this is; read once, from a row that is never updated. */
  readonly id: string;
  /** What this instance says of itself in it. */
  readonly instance: InstancePresence;
}

/**
 * The log in a database whose tables were checked.
 *
 * @throws AuthWiringError when a newer release writes it (H5).
 */
export async function openLogIn(
  database: LogDatabase,
  clock: AuthClock,
  maxTokenLife = 0,
): Promise<OpenLog> {
  const isFollowed = await hasWitness(database);
  const log = logIn(database, clock, '', { isFollowed, maxTokenLife });
  const { rows } = await database.read(log.statements.position());
  log.history.identify(rows[0]?.['log_id']);
  const { format } = headOf(rows[0], clock);
  if (format > SUPPORTED_FORMAT) {
    throw new AuthWiringError(
      `AuthModule: the revocation log has format ${format}, which a newer release of nestjs-logout ` +
        `writes; this one understands format ${SUPPORTED_FORMAT}.`,
      'Update nestjs-logout in this application.',
    );
  }
  return { ...log, id: rows[0]?.['log_id'] ?? '' };
}

/**
 * H3: whether an instance said within the last minute and a half that it is running. In a backup that
 * was put back these rows are as old as everything else.
 */
async function hasWitness(database: LogDatabase): Promise<boolean> {
  const { rows } = await database.read(new InstanceStatements(database.dialect).countRunning());
  return integerOf(rows[0]?.['running']) > 0;
}

/** The same, of a log whose id is known. */
export function logIn(
  database: LogDatabase,
  clock: AuthClock,
  id: string,
  settings?: HistorySettings,
): OpenLog {
  const statements = new LogStatements(database.dialect);
  const history = new LogHistory(settings);
  const transactions = new LogTransactions(statements, clock, history);
  const instance = new InstancePresence(database.dialect, clock);
  return { database, statements, transactions, history, id, instance };
}
