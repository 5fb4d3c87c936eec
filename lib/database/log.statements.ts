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

/** Why nothing is committed where the head was not raised, or not every event was added. */
export const NOT_RAISED = 'The head of the revocation log was not raised.';

/** Why nothing is committed where the row of a session goes on. */
export const NOT_ENDED = 'A row of auth_session was not ended.';

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

const EVENT_COLUMNS = columnsOf(RevocationEvent, EVENT_PROPERTIES);

/** The head of the log as one statement saw it. */
export interface Head extends Pick<AuthHead, (typeof HEAD_PROPERTIES)[number]> {
  /** Which server answered; `null` where servers have no identity. */
  readonly serverNow: string | null;
  /** Whether a standby or a replica answered: what it reports may be old. */
  readonly isReadOnly: boolean;
  /** Database time, epoch ms. */
  readonly now: number;
}

/** What a writer knows of the head under which it wrote, as it was before. */
export type HeadBefore = Pick<
  Head,
  'position' | 'lastEventId' | 'maxStaleness' | 'maxTokenLife' | 'now'
>;

/** What one read of the head gave. */
export interface ReadHead {
  readonly head: Head;
  readonly logId: string;
  /** How many pending events will end tokens of whole accounts (G1). */
  readonly pendingMarks: number;
}

/** Every statement of the log, written once for all dialects; rows come back as text. */
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
   * F1, C2: one statement, so one snapshot, with everything that a proof of freshness needs. The
   * event at the cursor comes along, to be compared with the one that is remembered.
   *
   * Raw: it joins the head with a UNION of two tables.
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
   * F7: one keyset page of what can still end a token, up to the head that was read first, as
   * `pageOf` reads it. Raw: one of its conditions has an OR.
   */
  readonly page = this.prepare<[after: number, through: number, now: number, limit: number]>(
    this.pageOfLists(
      `FROM ${this.event.table} e WHERE e.position > ? AND e.position <= ? ` +
        `AND (e.keep_until IS NULL OR e.keep_until >= ?) ORDER BY e.position LIMIT ?`,
    ),
  );

  /**
   * G1, G2: the position, the time and whether an event waits to be numbered, in one snapshot: the columns
   * and the tables of a SELECT, which may read other tables too. Always one row.
   */
  readonly positioned = {
    columns: `l.log_id, ${this.headColumns}, ${this.dialect.text(
      `(SELECT COUNT(*) FROM ${this.pending.table} WHERE kind IN ('subject', 'issuer'))`,
    )} AS pending_marks`,
    tables: `${this.head.table} h JOIN ${this.log.table} l ON h.id = 1 AND l.id = 1`,
  };

  /** Raw: it reads three tables. */
  readonly position = named(
    'position',
    this.prepare<[]>(`SELECT ${this.positioned.columns} FROM ${this.positioned.tables}`),
  );

  /** Without placeholders: a caller's own manager runs it too. */
  readonly logId = this.log.find(['id = 1'], { only: ['logId'] });

  /**
   * W1: taken last of all locks; from here on no other event can be numbered. Raw: it locks one table
   * and reads another.
   */
  readonly lockHead = this.prepare<[]>(
    `SELECT (SELECT l.log_id FROM ${this.log.table} l WHERE l.id = 1) AS log_id, ` +
      `${this.headColumns} FROM ${this.head.table} h WHERE h.id = 1${this.dialect.forUpdate}`,
  );

  /** W1: which of these ids have a place already; a locking read, whatever the isolation level. */
  readonly findEvents = this.event.find(['id IN'], { only: EVENT_PROPERTIES, lock: true });

  /** One event, if it has its place; without a lock. */
  readonly findEvent = this.event.find(['id'], { only: EVENT_PROPERTIES });

  /** The events that end one of these tokens or sessions, with the time at which each was written. */
  readonly findEnds = this.event.find(['key IN', "kind IN ('token', 'session')"]);

  /** Everything that the log says of these keys, with its writer and time. */
  readonly findByKeys = this.event.find(['key IN']);

  /** C4: what waits to be numbered: first what a login waits for, then the oldest. Raw for this order. */
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

  /** H4: raise a registered bound, and never lower it; the head says which instance did. */
  readonly raiseStaleness = this.head.update(
    ['id = 1', 'maxStaleness <'],
    ['maxStaleness', 'maxStalenessBy'],
  );
  readonly raiseTokenLife = this.head.update(
    ['id = 1', 'maxTokenLife <'],
    ['maxTokenLife', 'maxTokenLifeBy'],
  );

  /**
   * W1: raises the head by what is missing and inserts that, in one statement where the database can.
   * Each says how many rows it has to change.
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

  /** What `{ manager }` writes in the caller's own transaction: column names and values. */
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

  /** A UNION needs the same columns in the same order: what a pending event does not have is NULL. */
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

/** One row of {@link LogStatements.position}. */
export function readHeadOf(row: Row | undefined, clock: Pick<AuthClock, 'database'>): ReadHead {
  const head = headOf(row, clock);
  return { head, logId: row?.['log_id'] ?? '', pendingMarks: integerOf(row?.['pending_marks']) };
}

/**
 * An event of the log, or a pending one (position `null`). Written out: a cold start reads millions of
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
    reason: REASONS.get(row['reason'] ?? '') ?? 'unspecified',
  };
}

function optionalInteger(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : integerOf(text);
}

/** One row of `auth_pending`. */
export const pendingOf = reader(PendingEvent);
