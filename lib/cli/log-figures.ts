import { integerOf } from '../database/entities/table.js';
import type { Counted } from '../database/operator.statements.js';
import type { CommandLog } from './command-log.js';

/** The head with what only operators need. */
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
  const before = log.clock.wall();
  const [row] = await log.rows(log.operator.figures());
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

/** How many rows there are; of sessions only the open ones. `undefined` where that takes too long. */
export async function count(log: CommandLog, table: Counted): Promise<number | undefined> {
  try {
    const [row] = await log.rows(log.operator.count(table));
    return integerOf(row?.['n']);
  } catch (error) {
    // A read is cut off after 2.5 s, so that a count does not hold a connection for longer.
    if (log.database.dialect.failure(error) === 'connection') return undefined;
    throw error;
  }
}
