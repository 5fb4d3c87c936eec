import type { Dialect } from '../database/dialect.js';
import { type Row, type Statement } from '../database/statement.js';
import { integerOf } from '../database/entities/table.js';
import type { CommandLog } from './command-log.js';

/** The head with what only people ask for. */
export interface LogFigures {
  readonly logId: string;
  readonly position: number;
  readonly lastEventId: string | null;
  readonly purgedThrough: number;
  readonly format: number;
  readonly maxStaleness: number;
  readonly maxStalenessBy: string | null;
  readonly maxTokenLife: number;
  readonly maxTokenLifeBy: string | null;
  /** The database's time (epoch ms), and by how much this host's clock is ahead of it (ms). */
  readonly now: number;
  readonly clockAhead: number;
}

/** Reads the head, and compares the clocks. @throws Error without a row: the log is damaged. */
export async function readFigures(log: CommandLog): Promise<LogFigures> {
  const { dialect } = log.database;
  const before = log.clock.wall();
  const [row] = await log.rows(figures(dialect));
  const after = log.clock.wall();
  if (row === undefined) throw new Error('auth_log or auth_head has lost its row.');
  const now = integerOf(row['now']);
  return {
    logId: row['log_id'] ?? '',
    position: integerOf(row['position']),
    lastEventId: row['last_event_id'] ?? null,
    purgedThrough: integerOf(row['purged_through']),
    format: integerOf(row['format']),
    maxStaleness: integerOf(row['max_staleness']),
    maxStalenessBy: row['max_staleness_by'] ?? null,
    maxTokenLife: integerOf(row['max_token_life']),
    maxTokenLifeBy: row['max_token_life_by'] ?? null,
    now,
    clockAhead: Math.round((before + after) / 2 - now),
  };
}

function figures(dialect: Dialect): Statement {
  const { text, hex } = dialect;
  const integers = ['position', 'purged_through', 'format', 'max_staleness', 'max_token_life'];
  const columns = [
    'l.log_id',
    `${hex('h.last_event_id')} AS last_event_id`,
    'h.max_staleness_by',
    'h.max_token_life_by',
    ...integers.map((name) => `${text(`h.${name}`)} AS ${name}`),
    `${text(dialect.now)} AS now`,
  ];
  return dialect.statement(
    `SELECT ${columns.join(', ')} FROM ${dialect.table('auth_head')} h ` +
      `JOIN ${dialect.table('auth_log')} l ON l.id = 1 WHERE h.id = 1`,
    [],
  );
}

/** What can be counted. */
export type Counted = 'auth_event' | 'auth_pending' | 'auth_session';

/** How many rows there are; of sessions, those that go on. `undefined` where that takes too long. */
export async function count(log: CommandLog, table: Counted): Promise<number | undefined> {
  const { dialect } = log.database;
  const open =
    table === 'auth_session'
      ? ` WHERE ended_at IS NULL AND idle_until > ${dialect.now} AND expires_at > ${dialect.now}`
      : '';
  const statement = dialect.statement(
    `SELECT ${dialect.text('COUNT(*)')} AS n FROM ${dialect.table(table)}${open}`,
    [],
  );
  try {
    const [row]: readonly Row[] = await log.rows(statement);
    return integerOf(row?.['n']);
  } catch (error) {
    // A read is cut after 2.5 s, so that nobody holds a connection; a figure is not worth more.
    if (dialect.failure(error) === 'connection') return undefined;
    throw error;
  }
}
