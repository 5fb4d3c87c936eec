import { AuthHead } from './entities/auth-log.entity.js';
import { type AuthTable, integerOf, reader } from './entities/table.js';
import { Statements } from './statement-repository.js';
import type { Row, Statement } from './statement.js';

/** The tables whose rows `status` counts. */
export type Counted = 'auth_event' | 'auth_pending' | 'auth_session';

/** A bound in the head that an operator can lower. */
export type LoweredBound = 'maxStaleness' | 'maxTokenLife';

/** The settings and states of a server that `doctor` reads, each an expression of one database. */
const SETTINGS = {
  inRecovery: 'pg_is_in_recovery()::text',
  fsync: `current_setting('fsync')`,
  synchronousCommit: `current_setting('synchronous_commit')`,
  backend: 'pg_backend_pid()::text',
  flushAtCommit: 'CAST(@@innodb_flush_log_at_trx_commit AS CHAR)',
} as const;

/**
 * The statements that only the command needs: `status` and `doctor` read, and operators set values. The reads
 * are raw SQL, because they count rows and compare tables in one snapshot.
 */
export class OperatorStatements extends Statements {
  private readonly head = this.table(AuthHead);
  private readonly lowerStaleness = this.head.update(
    ['id = 1'],
    ['maxStaleness', 'maxStalenessBy'],
  );
  private readonly lowerTokenLife = this.head.update(
    ['id = 1'],
    ['maxTokenLife', 'maxTokenLifeBy'],
  );

  readonly raiseFormat = this.head.update(['id = 1'], ['format']);

  /**
   * Reads the head, the id of the log, the last event and the database's time in one snapshot. With several
   * reads, a write in between would look like a contradiction.
   */
  figures(): Statement {
    const { text, hex, table, now } = this.dialect;
    const last = `(SELECT MAX(m.position) FROM ${table('auth_event')} m)`;
    return this.once(
      `SELECT l.log_id, ${this.head.select('h')}, ${text(`COALESCE(${last}, 0)`)} AS last_position, ` +
        `${hex('e.event_id')} AS last_event, ${text(now)} AS now FROM ${table('auth_head')} h ` +
        `JOIN ${table('auth_log')} l ON l.id = 1 ` +
        `LEFT JOIN ${table('auth_event')} e ON e.position = ${last} WHERE h.id = 1`,
    );
  }

  /** Counts the rows of a table; of sessions, only the open ones. */
  count(name: Counted): Statement {
    const { text, table, now } = this.dialect;
    const open =
      name === 'auth_session'
        ? ` WHERE ended_at IS NULL AND idle_until > ${now} AND expires_at > ${now}`
        : '';
    return this.once(`SELECT ${text('COUNT(*)')} AS n FROM ${table(name)}${open}`);
  }

  /** Returns a row if the one row of `auth_log` or `auth_head` exists. */
  hasRow(name: AuthTable & ('auth_log' | 'auth_head')): Statement {
    const { table } = this.dialect;
    return this.once(`SELECT 1 AS one FROM ${table(name)} WHERE id = 1`);
  }

  /** Reads one setting of the server, as `value`. */
  setting(name: keyof typeof SETTINGS): Statement {
    return { sql: `SELECT ${SETTINGS[name]} AS value`, values: [] };
  }

  /** Whether the server refuses writes. */
  cannotWrite(): Statement {
    // Not named `read_only`: a connection refuses a standby by a column of this name.
    const { text, isReadOnly } = this.dialect;
    return this.once(`SELECT ${text(isReadOnly)} AS cannot_write`);
  }

  /** Counts the events above the purged positions, and how many there must be. */
  gaps(): Statement {
    const { text, table } = this.dialect;
    const found = `(SELECT COUNT(*) FROM ${table('auth_event')} e WHERE e.position > h.purged_through AND e.position <= h.position)`;
    return this.once(
      `SELECT ${text('h.position - h.purged_through')} AS wanted, ` +
        `${text('h.purged_through')} AS purged_through, ${text(found)} AS found ` +
        `FROM ${table('auth_head')} h WHERE h.id = 1`,
    );
  }

  /** Lowers a registered bound (ms). The head also stores who did it. */
  lowerBound(bound: LoweredBound, to: number, by: string): Statement {
    return bound === 'maxStaleness'
      ? this.lowerStaleness({ maxStaleness: to, maxStalenessBy: by })
      : this.lowerTokenLife({ maxTokenLife: to, maxTokenLifeBy: by });
  }
}

const readHead = reader(AuthHead);

/** A row of {@link OperatorStatements.figures}. */
export interface LogFigures extends AuthHead {
  readonly logId: string;
  readonly lastPosition: number;
  /** The id of the last event; `null` while the log is empty. */
  readonly lastEvent: string | null;
  /** The database's time (epoch ms). */
  readonly now: number;
}

/** @see LogFigures */
export function figuresOf(row: Row): LogFigures {
  return {
    ...readHead(row),
    logId: row['log_id'] ?? '',
    lastPosition: integerOf(row['last_position']),
    lastEvent: row['last_event'] ?? null,
    now: integerOf(row['now']),
  };
}
