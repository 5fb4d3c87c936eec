import type { AuthClock } from '../platform/auth-clock.js';
import { AuthHead, AuthLog } from './entities/auth-log.entity.js';
import {
  type LogEvent,
  type LogEventKind,
  PendingEvent,
  REVOCATION_REASONS,
  RevocationEvent,
  type RevocationReason,
} from './entities/revocation-event.entity.js';
import { columnsOf, integerOf, reader } from './entities/table.js';
import { columnValue, named, type Row, type Statement } from './statement.js';
import { selected, Statements } from './statement-repository.js';

/** The message if the head was not raised or an event was not inserted, so that nothing is committed. */
export const NOT_RAISED = 'The head of the revocation log was not raised.';

/** The message if a session was not ended, so that nothing is committed. */
export const NOT_ENDED = 'A row of auth_session was not ended.';

/** The columns that every reader of the head needs. */
export const HEAD_PROPERTIES = [
  'position',
  'lastEventId',
  'purgedThrough',
  'format',
  'maxStaleness',
  'maxTokenLife',
  'server',
] as const satisfies readonly (keyof AuthHead)[];

/** The columns of an event that decide about tokens: all except the actor and the time of the write. */
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

const EVENT_COLUMNS = columnsOf(RevocationEvent, EVENT_PROPERTIES);

/** The head of the log as one statement saw it. */
export interface Head extends Pick<AuthHead, (typeof HEAD_PROPERTIES)[number]> {
  /** The identity of the server that answered (H2); `null` if it has none. */
  readonly serverNow: string | null;
  /** Whether a standby or a replica answered. Its rows may be old, so they prove nothing. */
  readonly isReadOnly: boolean;
  /** Database time, epoch ms. */
  readonly now: number;
}

/** The head as it was before a write. */
export type HeadBefore = Pick<
  Head,
  'position' | 'lastEventId' | 'maxStaleness' | 'maxTokenLife' | 'now'
>;

/** The result of one read of the head. */
export interface ReadHead {
  readonly head: Head;
  readonly logId: string;
  /** The number of pending events for whole accounts or issuers. They are numbered before a login (G1). */
  readonly pendingMarks: number;
}

/** Every statement of the log, for all dialects. Columns are selected as text. */
export class LogStatements extends Statements {
  private readonly log = this.table(AuthLog);
  private readonly head = this.table(AuthHead);
  private readonly event = this.table(RevocationEvent);
  private readonly pending = this.table(PendingEvent);
  private readonly eventColumns = this.event.select('e', EVENT_PROPERTIES);
  private readonly headColumns = [
    this.head.select('h', HEAD_PROPERTIES),
    `${this.dialect.text(this.dialect.server)} AS server_now`,
    `${this.dialect.text(this.dialect.isReadOnly)} AS read_only`,
    `${this.dialect.text(this.dialect.now)} AS now`,
  ].join(', ');

  /**
   * A poll: one statement, and so one snapshot, with everything that a proof of freshness needs (F1, C2). It
   * also reads the event at the cursor: if that is another event than the remembered one, the log has forked.
   *
   * Raw SQL, because it joins the head with a UNION of two tables.
   */
  readonly poll = named(
    'poll',
    this.prepare<[cursor: number, limit: number, pendingLimit: number]>(
      `SELECT l.log_id, ${this.headColumns}, e.* FROM ${this.head.table} h ` +
        `JOIN ${this.log.table} l ON l.id = 1 LEFT JOIN (` +
        `SELECT * FROM (SELECT ${this.eventColumns} FROM ${this.event.table} e ` +
        `WHERE e.position >= ? ORDER BY e.position LIMIT ?) following ` +
        `UNION ALL SELECT * FROM (SELECT ${this.pendingColumns()} FROM ${this.pending.table} p ` +
        `ORDER BY p.event_id LIMIT ?) waiting` +
        `) e ON 1 = 1 WHERE h.id = 1`,
    ),
  );

  /**
   * One page of a load, up to the head that was read first (F7), without events that no longer revoke any
   * token. Read it with `pageOf`. Raw SQL, because a condition has an OR.
   */
  readonly page = this.prepare<[after: number, through: number, now: number, limit: number]>(
    this.pageOfLists(
      `FROM ${this.event.table} e WHERE e.position > ? AND e.position <= ? ` +
        `AND (e.keep_until IS NULL OR e.keep_until >= ?) ORDER BY e.position LIMIT ?`,
    ),
  );

  /**
   * The columns and tables of a SELECT that reads the position, the time and the number of pending events in
   * one snapshot (G1, G2). The SELECT may read other tables too. There is always one row.
   */
  readonly positioned = {
    columns: `l.log_id, ${this.headColumns}, ${this.dialect.text(
      `(SELECT COUNT(*) FROM ${this.pending.table} WHERE kind IN ('subject', 'issuer'))`,
    )} AS pending_marks`,
    tables: `${this.head.table} h JOIN ${this.log.table} l ON h.id = 1 AND l.id = 1`,
  };

  /** Reads the position. Raw SQL, because it reads three tables. */
  readonly position = named(
    'position',
    this.prepare<[]>(`SELECT ${this.positioned.columns} FROM ${this.positioned.tables}`),
  );

  /** The id of the log. It has no placeholders, so that the caller's own manager can run it too. */
  readonly logId = this.log.find(['id = 1'], { only: ['logId'] });

  /**
   * Locks the head, as the last lock (W1). Until the commit, no other transaction can assign a position.
   * Raw SQL, because it locks one table and reads another.
   */
  readonly lockHead = this.prepare<[]>(
    `SELECT (SELECT l.log_id FROM ${this.log.table} l WHERE l.id = 1) AS log_id, ` +
      `${this.headColumns} FROM ${this.head.table} h WHERE h.id = 1${this.dialect.forUpdate}`,
  );

  /**
   * Which of these events were written already (W1). A lock makes it read the latest rows, not a snapshot.
   */
  readonly findEvents = this.event.find(['id IN'], { only: EVENT_PROPERTIES, lock: true });

  /** One event by its id, without a lock. */
  readonly findEvent = this.event.find(['id'], { only: EVENT_PROPERTIES });

  /** The events that revoke one of these tokens or sessions, with the time of each. */
  readonly findEnds = this.event.find(['key IN', "kind IN ('token', 'session')"]);

  /** All events with these keys, with actor and time. */
  readonly findByKeys = this.event.find(['key IN']);

  /** Pending events (C4): first those that a login waits for, then the oldest. Raw SQL for this order. */
  readonly listPending = this.prepare<[limit: number]>(
    `SELECT ${this.pending.select('p')} FROM ${this.pending.table} p ` +
      `ORDER BY CASE WHEN p.kind IN ('subject', 'issuer') THEN 0 ELSE 1 END, p.event_id LIMIT ?`,
  );

  readonly deleteEvents = this.event.delete(['position IN']);

  private readonly insert = this.event.insert();
  private raiseAndInsert: string | undefined;
  private readonly raise = this.head.update(
    ['id = 1', 'position <'],
    ['position', 'lastEventId', `server = ${this.dialect.server}`],
  );
  private readonly raisePurged = this.head.update(['id = 1', 'purgedThrough <'], ['purgedThrough']);

  /** Raises a registered bound and never lowers it (H4). The head also stores which instance did it. */
  readonly raiseStaleness = this.head.update(
    ['id = 1', 'maxStaleness <'],
    ['maxStaleness', 'maxStalenessBy'],
  );
  readonly raiseTokenLife = this.head.update(
    ['id = 1', 'maxTokenLife <'],
    ['maxTokenLife', 'maxTokenLifeBy'],
  );

  /**
   * Raises the head and inserts the events (W1), in one statement if the database can. `changes` is the
   * number of rows that each statement must change: a trigger may suppress a row without an error.
   */
  append(
    rows: readonly RevocationEvent[],
  ): readonly { readonly statement: Statement; readonly changes: number }[] {
    const { position, id } = rows.at(-1) as RevocationEvent;
    const raise = this.raise(position, { position, lastEventId: id });
    const insert = this.insert(...rows);
    if (this.dialect.insertAfter === undefined) {
      return [
        { statement: raise, changes: 1 },
        { statement: insert, changes: rows.length },
      ];
    }
    this.raiseAndInsert ??= this.dialect.insertAfter(raise, insert);
    const values = [...raise.values, ...insert.values];
    return [{ statement: { sql: this.raiseAndInsert, values }, changes: rows.length }];
  }

  deletePending(ids: readonly string[]): Statement {
    const keys = ids.map((id) => Buffer.from(id, 'hex'));
    return this.once(this.dialect.deletePending(ids.length), keys);
  }

  raisePurgedThrough(position: number): Statement {
    return this.raisePurged(position, { purgedThrough: position });
  }

  /** The columns and values that `{ manager }` writes in the caller's transaction (C1). */
  static pendingValues(row: PendingEvent): Record<string, string | number | Buffer | null> {
    const columns = columnsOf(PendingEvent);
    return Object.fromEntries(columns.map((column) => [column.name, columnValue(row, column)]));
  }

  private pageOfLists(from: string): string {
    const { dialect, event } = this;
    if (dialect.list === undefined) return `SELECT ${this.eventColumns} ${from}`;
    return (
      `SELECT ${dialect.text('COUNT(*)')} AS event_count, ` +
      `${dialect.text('MAX(e.position)')} AS last_position, ` +
      `${event.lists('e', EVENT_PROPERTIES, dialect.list)} FROM (` +
      `SELECT ${EVENT_COLUMNS.map(({ name }) => `e.${name}`).join(', ')} ${from}) e`
    );
  }

  /** The columns of a pending event in the order of an event's, for the UNION. Missing ones are NULL. */
  private pendingColumns(): string {
    const known = new Map(columnsOf(PendingEvent).map((column) => [column.name, column]));
    const columns = EVENT_COLUMNS.map(({ name, as }) => {
      const column = known.get(name);
      return column === undefined
        ? `${this.dialect.text('NULL')} AS ${as}`
        : selected(this.dialect, column, 'p');
    });
    return columns.join(', ');
  }
}

const REASONS: ReadonlyMap<string, RevocationReason> = new Map(
  REVOCATION_REASONS.map((reason) => [reason, reason]),
);

const readHead = reader(AuthHead, HEAD_PROPERTIES);

/** @throws Error without a row. Someone has deleted it, so the log is damaged. */
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

/** Reads a row of {@link LogStatements.position}. */
export function readHeadOf(row: Row | undefined, clock: Pick<AuthClock, 'database'>): ReadHead {
  const head = headOf(row, clock);
  return { head, logId: row?.['log_id'] ?? '', pendingMarks: integerOf(row?.['pending_marks']) };
}

/**
 * Reads an event of the log, or a pending one (position `null`). It does not use {@link reader}, which takes
 * five times as long: a cold start reads millions of events. `test/unit/database/log-statements.spec.ts`
 * compares the two.
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
    reason: REASONS.get(row['reason'] ?? '') ?? 'unspecified',
  };
}

function optionalInteger(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : integerOf(text);
}

/** Reads a row of `auth_pending`. */
export const pendingOf = reader(PendingEvent);
