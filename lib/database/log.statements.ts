import type { AuthClock } from '../platform/auth-clock.js';
import type { Dialect } from './dialect.js';
import { AuthHead, AuthLog } from './entities/auth-log.entity.js';
import {
  type LogEvent,
  type LogEventKind,
  PendingEvent,
  reasonOf,
  RevocationEvent,
} from './entities/revocation-event.entity.js';
import { bytesOf, columnsOf, integerOf, reader, valuesOf } from './entities/table.js';
import {
  Expression,
  lessThan,
  oneOf,
  selected,
  StatementRepository,
} from './statement-repository.js';
import type { Row, Statement } from './statement.js';

/** What every reader of the head needs of it. */
export const HEAD_PROPERTIES = [
  'position',
  'lastEventId',
  'purgedThrough',
  'format',
  'maxStaleness',
  'maxTokenLife',
  'server',
] as const satisfies readonly (keyof AuthHead)[];

/** What decides about tokens: an event without its writer and the time of its writing. */
export const EVENT_PROPERTIES = [
  'position',
  'id',
  'kind',
  'key',
  'killsBelow',
  'except',
  'accessOnly',
  'issuedBefore',
  'until',
  'reason',
] as const satisfies readonly (keyof RevocationEvent)[];

/** The head of the log as one statement saw it. */
export interface Head extends Pick<AuthHead, (typeof HEAD_PROPERTIES)[number]> {
  /** Which server answered; `null` where servers have no identity. */
  readonly serverNow: string | null;
  /** Whether a standby or a replica answered: what it reports may be old. */
  readonly isReadOnly: boolean;
  /** Database time, epoch ms. */
  readonly now: number;
}

/** Every statement of the log, written once for all dialects; rows come back as text. */
export class LogStatements {
  private readonly log: StatementRepository<AuthLog>;
  private readonly head: StatementRepository<AuthHead>;
  private readonly event: StatementRepository<RevocationEvent>;
  private readonly pending: StatementRepository<PendingEvent>;
  private readonly eventColumns: string;
  private readonly pendingColumns: string;
  private readonly headColumns: string;

  constructor(readonly dialect: Dialect) {
    const { text } = dialect;
    this.log = new StatementRepository(dialect, AuthLog);
    this.head = new StatementRepository(dialect, AuthHead);
    this.event = new StatementRepository(dialect, RevocationEvent);
    this.pending = new StatementRepository(dialect, PendingEvent);
    this.headColumns = [
      this.head.select('h', HEAD_PROPERTIES),
      `${text(dialect.server)} AS server_now`,
      `${text(dialect.isReadOnly)} AS read_only`,
      `${text(dialect.now)} AS now`,
    ].join(', ');
    this.eventColumns = this.event.select('e', EVENT_PROPERTIES);
    // A UNION needs the same columns in the same order: what a pending event does not have is NULL.
    const known = new Map(columnsOf(PendingEvent).map((column) => [column.name, column]));
    this.pendingColumns = columnsOf(RevocationEvent, EVENT_PROPERTIES)
      .map(({ name, as }) => {
        const column = known.get(name);
        return column === undefined ? `${text('NULL')} AS ${as}` : selected(dialect, column, 'p');
      })
      .join(', ');
  }

  /**
   * F1, C2: one statement, so one snapshot, with everything that a proof of freshness needs. The
   * event at the cursor comes along, to be compared with the one that is remembered.
   */
  poll(cursor: number, limit: number, pendingLimit: number): Statement {
    return this.dialect.statement(
      `SELECT l.log_id, ${this.headColumns}, e.* FROM ${this.head.table} h ` +
        `JOIN ${this.log.table} l ON l.id = 1 LEFT JOIN (` +
        `SELECT * FROM (SELECT ${this.eventColumns} FROM ${this.event.table} e ` +
        `WHERE e.position >= ? ORDER BY e.position LIMIT ?) following ` +
        `UNION ALL SELECT * FROM (SELECT ${this.pendingColumns} FROM ${this.pending.table} p ` +
        `ORDER BY p.event_id LIMIT ?) waiting` +
        `) e ON 1 = 1 WHERE h.id = 1`,
      [cursor, limit, pendingLimit],
    );
  }

  /** F7: one keyset page of what can still end a token, up to the head that was read first. */
  page(after: number, through: number, now: number, limit: number): Statement {
    return this.dialect.statement(
      `SELECT ${this.eventColumns} FROM ${this.event.table} e WHERE e.position > ? AND e.position <= ? ` +
        `AND (e.keep_until IS NULL OR e.keep_until >= ?) ORDER BY e.position LIMIT ?`,
      [after, through, now, limit],
    );
  }

  /** G1, G2: the position, the time and whether an event waits to be numbered, in one snapshot. */
  position(): Statement {
    return this.dialect.statement(
      `SELECT l.log_id, ${this.headColumns}, ${this.dialect.text(
        `(SELECT COUNT(*) FROM ${this.pending.table} WHERE kind IN ('subject', 'issuer'))`,
      )} AS pending_marks FROM ${this.head.table} h ` +
        `JOIN ${this.log.table} l ON l.id = 1 WHERE h.id = 1`,
      [],
    );
  }

  logId(): Statement {
    // Without placeholders: a caller's own manager runs it too.
    return this.dialect.statement(`SELECT log_id FROM ${this.log.table} WHERE id = 1`, []);
  }

  /** W1: taken last of all locks; from here on no other event can be numbered. */
  lockHead(): Statement {
    return this.dialect.statement(
      `SELECT (SELECT l.log_id FROM ${this.log.table} l WHERE l.id = 1) AS log_id, ` +
        `${this.headColumns} FROM ${this.head.table} h WHERE h.id = 1${this.dialect.forUpdate}`,
      [],
    );
  }

  private raiseHead(position: number, lastEventId: string): Statement {
    return this.head.update(
      { id: true, position: lessThan(position) },
      { position, lastEventId, server: new Expression(this.dialect.server) },
    );
  }

  /** W1: which of these ids have a place already; a locking read, whatever the isolation level. */
  findEvents(ids: readonly string[]): Statement {
    return this.event.find({ id: oneOf(ids) }, { only: EVENT_PROPERTIES, lock: true });
  }

  /** One event, if it has its place; without a lock. */
  findEvent(id: string): Statement {
    return this.event.find({ id }, { only: EVENT_PROPERTIES });
  }

  /** The events that end one of these tokens or sessions, with the time at which each was written. */
  findEnds(keys: readonly string[]): Statement {
    return this.event.find({ key: oneOf(keys), kind: oneOf(['token', 'session']) });
  }

  /**
   * W1: raises the head by what is missing and inserts that, in one statement where the database can.
   * Each says how many rows it has to change.
   */
  append(rows: readonly RevocationEvent[]): readonly { statement: Statement; changes: number }[] {
    const last = rows.at(-1) as RevocationEvent;
    const raise = this.raiseHead(last.position, last.id);
    const insert = this.event.insert(rows);
    const both = this.dialect.insertAfter?.(raise, insert);
    if (both !== undefined) return [{ statement: both, changes: rows.length }];
    return [
      { statement: raise, changes: 1 },
      { statement: insert, changes: rows.length },
    ];
  }

  /** C4: what waits to be numbered: first what a login waits for, then the oldest. */
  listPending(limit: number): Statement {
    return this.dialect.statement(
      `SELECT ${this.pending.select('p')} FROM ${this.pending.table} p ` +
        `ORDER BY CASE WHEN p.kind IN ('subject', 'issuer') THEN 0 ELSE 1 END, p.event_id LIMIT ?`,
      [limit],
    );
  }

  deletePending(ids: readonly string[]): Statement {
    return this.dialect.statement(
      this.dialect.deletePending(ids.length),
      ids.map((id) => bytesOf(id)),
    );
  }

  deleteEvents(positions: readonly number[]): Statement {
    return this.event.delete({ position: oneOf(positions) });
  }

  raisePurgedThrough(position: number): Statement {
    return this.head.update(
      { id: true, purgedThrough: lessThan(position) },
      { purgedThrough: position },
    );
  }

  /** H4: raises the registered bounds, never lowers them; the head says who raised them. */
  registerBound(
    bound: 'maxStaleness' | 'maxTokenLife',
    value: number,
    instance: string,
  ): Statement {
    return this.head.update(
      { id: true, [bound]: lessThan(value) },
      { [bound]: value, [`${bound}By`]: instance },
    );
  }

  /** What `{ manager }` writes in the caller's own transaction: column names and values. */
  static pendingValues(row: PendingEvent): Record<string, string | number | Buffer | null> {
    const columns = columnsOf(PendingEvent);
    const values = valuesOf(row, columns);
    return Object.fromEntries(columns.map(({ name }, index) => [name, values[index] ?? null]));
  }
}

const readHead = reader(AuthHead, HEAD_PROPERTIES);

/** @throws Error without a row: whoever deleted it has damaged the log. */
export function headOf(row: Row | undefined, clock: Pick<AuthClock, 'database'>): Head {
  if (row === undefined) {
    throw new Error('The table auth_log or auth_head has lost its row; the log is damaged.');
  }
  return {
    ...readHead(row),
    serverNow: row['server_now'] ?? null,
    isReadOnly: row['read_only'] === '1',
    now: clock.database(integerOf(row['now'])),
  };
}

/**
 * An event of the log, or a pending one (position `null`). Written out: a cold start reads 100,000 of
 * them, and {@link reader} takes five times as long. `test/unit/database/log-statements.spec.ts` compares the two.
 */
export function eventOf(row: Row): LogEvent {
  return {
    position: optionalInteger(row['event_position']),
    id: row['event_id'] ?? '',
    kind: row['kind'] as LogEventKind,
    key: row['event_key'] ?? '',
    killsBelow: optionalInteger(row['kills_below']),
    except: row['except_key'] ?? null,
    accessOnly: row['access_only'] === '1',
    issuedBefore: optionalInteger(row['issued_before']),
    until: optionalInteger(row['keep_until']),
    reason: reasonOf(row['reason']),
  };
}

function optionalInteger(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : integerOf(text);
}

/** One row of `auth_pending`. */
export const pendingOf = reader(PendingEvent);
