import { AuthWiringError } from '../errors/auth-wiring.error.js';
import type { Dialect } from './dialect.js';
import { integerOf } from './entities/table.js';
import type { LogDatabase } from './log-database.js';

/** What is known of a log before it is opened. */
interface FoundLog {
  readonly createdAt: number;
  readonly position: number;
}

/**
 * A log that is empty or not there yet, beside an older one that is in use: a changed `tablePrefix` would
 * make every token valid again that was logged out in the old one.
 *
 * @throws AuthWiringError that names the other log's table.
 */
export async function refuseSecondLog(database: LogDatabase): Promise<void> {
  const { dialect } = database;
  const own = dialect.prefixed('auth_log');
  const { rows } = await database.read(dialect.existing);
  const names = rows.map(({ name }) => name ?? '');
  const ours = names.includes(own) ? await findLog(database, own) : undefined;
  if (ours !== undefined && ours.position > 0) return;
  for (const other of names.filter((name) => name !== own && /^\w*auth_log$/.test(name))) {
    if (!names.includes(other.replace(/log$/, 'head'))) continue;
    const found = await findLog(database, other);
    if (found === undefined || found.position === 0) continue;
    if (ours !== undefined && ours.createdAt <= found.createdAt) continue;
    throw new AuthWiringError(
      `AuthModule: the log with the table "${own}" is new and empty, and there is another one beside it, ` +
        `with the table "${other}". Tokens that were logged out in that one would be accepted again.`,
      `If it is this application's log, set tablePrefix as it was: ${wasPrefix(other)}.`,
      'If it is the log of another application: AuthModule.forRoot({ newLog: true, … }).',
    );
  }
}

function wasPrefix(table: string): string {
  const prefix = table.slice(0, -'auth_log'.length);
  return prefix === '' ? 'leave it out' : `tablePrefix: '${prefix}'`;
}

/** @returns `undefined` for tables that only look like a log, and for those that may not be read. */
async function findLog(database: LogDatabase, table: string): Promise<FoundLog | undefined> {
  const { dialect } = database;
  const { text } = dialect;
  const sql =
    `SELECT ${text('l.created_at')} AS created_at, ${text('h.position')} AS head_position ` +
    `FROM ${called(dialect, table)} l JOIN ${called(dialect, table.replace(/log$/, 'head'))} h ON h.id = l.id`;
  try {
    const { rows } = await database.read({ sql, values: [] });
    const [row] = rows;
    return row === undefined
      ? undefined
      : { createdAt: integerOf(row['created_at']), position: integerOf(row['head_position']) };
  } catch (error) {
    const { cause = error } = error instanceof Error ? error : {};
    if (dialect.failure(cause) === 'connection') throw error;
    return undefined;
  }
}

/** A table beside ours, quoted and qualified as ours are. */
function called(dialect: Dialect, table: string): string {
  return dialect.table('auth_log').replace(dialect.prefixed('auth_log'), table);
}
