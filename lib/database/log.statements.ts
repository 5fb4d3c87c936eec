import type { LogEvent } from './revocation-event.js';
import { bytesOf, placeholders } from './columns.js';
import type { Dialect } from './dialect.js';
import type { PendingRow } from './log-rows.js';
import type { Statement } from './statement.js';

const EVENT_COLUMNS = [
  ['position', 'bigint'],
  ['event_id', 'bytes'],
  ['kind', 'text'],
  ['event_key', 'bytes'],
  ['kills_below', 'bigint'],
  ['except_key', 'bytes'],
  ['access_only', 'bigint'],
  ['issued_before', 'bigint'],
  ['keep_until', 'bigint'],
  ['reason', 'text'],
  ['actor', 'text'],
  ['created_at', 'bigint'],
] as const;

const PENDING_COLUMNS = [
  ['event_id', 'bytes'],
  ['kind', 'text'],
  ['event_key', 'bytes'],
  ['except_key', 'bytes'],
  ['access_only', 'bigint'],
  ['expires_at', 'bigint'],
  ['life', 'bigint'],
  ['skew', 'bigint'],
  ['reason', 'text'],
  ['actor', 'text'],
] as const;

/** An event that has its position, as it is inserted. */
export interface NumberedRow extends LogEvent {
  readonly position: number;
  readonly actor: string | null;
  readonly createdAt: number;
}

/** Every statement of the log, written once for all dialects; rows come back as text. */
export class LogStatements {
  private readonly head: string;
  private readonly event: string;
  private readonly pending: string;
  private readonly eventColumns: string;
  private readonly pendingColumns: string;
  private readonly headColumns: string;

  constructor(readonly dialect: Dialect) {
    const { text, hex } = dialect;
    this.head = dialect.table('auth_head');
    this.event = dialect.table('auth_event');
    this.pending = dialect.table('auth_pending');
    this.headColumns = [
      `${text('h.position')} AS head_position`,
      `${hex('h.last_event_id')} AS last_event_id`,
      `${text('h.purged_through')} AS purged_through`,
      `${text('h.format')} AS format`,
      `${text('h.max_staleness')} AS max_staleness`,
      `${text('h.max_token_life')} AS max_token_life`,
      `${text('h.server')} AS server`,
      `${text(dialect.server)} AS server_now`,
      `${text(dialect.isReadOnly)} AS read_only`,
      `${text(dialect.now)} AS now`,
    ].join(', ');
    const shared = [
      `${hex('event_id')} AS event_id`,
      'kind',
      `${hex('event_key')} AS event_key`,
      `${hex('except_key')} AS except_key`,
      `${text('access_only')} AS access_only`,
      'reason',
    ].join(', ');
    const nothing = `${text('NULL')}`;
    this.eventColumns = [
      `${text('position')} AS event_position`,
      shared,
      `${text('kills_below')} AS kills_below`,
      `${text('issued_before')} AS issued_before`,
      `${text('keep_until')} AS keep_until`,
    ].join(', ');
    this.pendingColumns = [
      `${nothing} AS event_position`,
      shared,
      `${nothing} AS kills_below`,
      `${nothing} AS issued_before`,
      `${nothing} AS keep_until`,
    ].join(', ');
  }

  /**
   * F1, C2: one statement, so one snapshot, with everything that a proof of freshness needs. The
   * event at the cursor comes along, to be compared with the one that is remembered.
   */
  poll(cursor: number, limit: number, pendingLimit: number): Statement {
    return this.dialect.statement(
      `SELECT l.log_id, ${this.headColumns}, e.* FROM ${this.head} h ` +
        `JOIN ${this.dialect.table('auth_log')} l ON l.id = 1 LEFT JOIN (` +
        `SELECT * FROM (SELECT ${this.eventColumns} FROM ${this.event} e ` +
        `WHERE e.position >= ? ORDER BY e.position LIMIT ?) following ` +
        `UNION ALL SELECT * FROM (SELECT ${this.pendingColumns} FROM ${this.pending} p ` +
        `ORDER BY p.event_id LIMIT ?) waiting` +
        `) e ON 1 = 1 WHERE h.id = 1`,
      [cursor, limit, pendingLimit],
    );
  }

  /** F7: one keyset page of what can still end a token, up to the head that was read first. */
  page(after: number, through: number, now: number, limit: number): Statement {
    return this.dialect.statement(
      `SELECT ${this.eventColumns} FROM ${this.event} e WHERE e.position > ? AND e.position <= ? ` +
        `AND (e.keep_until IS NULL OR e.keep_until >= ?) ORDER BY e.position LIMIT ?`,
      [after, through, now, limit],
    );
  }

  /** G1, G2: the position, the time and whether an event waits to be numbered, in one snapshot. */
  position(): Statement {
    return this.dialect.statement(
      `SELECT l.log_id, ${this.headColumns}, ${this.dialect.text(
        `(SELECT COUNT(*) FROM ${this.pending} WHERE kind IN ('subject', 'issuer'))`,
      )} AS pending_marks FROM ${this.head} h ` +
        `JOIN ${this.dialect.table('auth_log')} l ON l.id = 1 WHERE h.id = 1`,
      [],
    );
  }

  logId(): Statement {
    return this.dialect.statement(
      `SELECT log_id FROM ${this.dialect.table('auth_log')} WHERE id = 1`,
      [],
    );
  }

  /** W1: taken last of all locks; from here on no other event can be numbered. */
  lockHead(): Statement {
    return this.dialect.statement(
      `SELECT (SELECT l.log_id FROM ${this.dialect.table('auth_log')} l WHERE l.id = 1) AS log_id, ` +
        `${this.headColumns} FROM ${this.head} h WHERE h.id = 1${this.dialect.forUpdate}`,
      [],
    );
  }

  private raiseHead(position: number, lastEventId: string): Statement {
    return this.dialect.statement(
      `UPDATE ${this.head} SET position = ?, last_event_id = ?, server = ${this.dialect.server} ` +
        `WHERE id = 1 AND position < ?`,
      [position, Buffer.from(lastEventId, 'hex'), position],
    );
  }

  /** W1: which of these ids have a place already; a locking read, whatever the isolation level. */
  findEvents(ids: readonly string[]): Statement {
    return this.dialect.statement(
      `SELECT ${this.eventColumns} FROM ${this.event} WHERE event_id IN (${ids.map(() => '?').join(', ')})${this.dialect.forUpdate}`,
      ids.map((id) => Buffer.from(id, 'hex')),
    );
  }

  /** One event, if it has its place; without a lock. */
  findEvent(id: string): Statement {
    return this.dialect.statement(
      `SELECT ${this.eventColumns} FROM ${this.event} WHERE event_id = ?`,
      [bytesOf(id)],
    );
  }

  /** The events that end one of these tokens or sessions, with the time at which each was written. */
  findEnds(keys: readonly string[]): Statement {
    return this.dialect.statement(
      `SELECT ${this.eventColumns}, ${this.dialect.text('created_at')} AS created_at FROM ${this.event} ` +
        `WHERE event_key IN (${placeholders(keys)}) AND kind IN ('token', 'session')`,
      keys.map((key) => bytesOf(key)),
    );
  }

  /**
   * W1: raises the head by what is missing and inserts that, in one statement where the database can.
   * Each says how many rows it has to change.
   */
  append(rows: readonly NumberedRow[]): readonly { statement: Statement; changes: number }[] {
    const last = rows.at(-1) as NumberedRow;
    const raise = this.raiseHead(last.position, last.id);
    const insert = this.insertEvents(rows);
    const both = this.dialect.insertAfter?.(raise, insert);
    if (both !== undefined) return [{ statement: both, changes: rows.length }];
    return [
      { statement: raise, changes: 1 },
      { statement: insert, changes: rows.length },
    ];
  }

  private insertEvents(rows: readonly NumberedRow[]): Statement {
    return this.dialect.insert(
      'auth_event',
      EVENT_COLUMNS,
      rows.map((row) => [
        row.position,
        Buffer.from(row.id, 'hex'),
        row.kind,
        Buffer.from(row.key, 'hex'),
        row.killsBelow,
        row.except === null ? null : Buffer.from(row.except, 'hex'),
        row.accessOnly ? 1 : 0,
        row.issuedBefore,
        row.until,
        row.reason,
        row.actor,
        row.createdAt,
      ]),
    );
  }

  /** C4: what waits to be numbered: first what a login waits for, then the oldest. */
  listPending(limit: number): Statement {
    const { text, hex } = this.dialect;
    const columns = PENDING_COLUMNS.map(([name, type]) =>
      type === 'bytes'
        ? `${hex(name)} AS ${name}`
        : type === 'bigint'
          ? `${text(name)} AS ${name}`
          : name,
    );
    return this.dialect.statement(
      `SELECT ${columns.join(', ')} FROM ${this.pending} p ` +
        `ORDER BY CASE WHEN p.kind IN ('subject', 'issuer') THEN 0 ELSE 1 END, p.event_id LIMIT ?`,
      [limit],
    );
  }

  deletePending(ids: readonly string[]): Statement {
    return this.dialect.statement(
      this.dialect.deletePending(ids.length),
      ids.map((id) => Buffer.from(id, 'hex')),
    );
  }

  /** X1: expired, and it and its successor older than `cutoff`; the last event always stays. */
  findExpired(now: number, cutoff: number, limit: number): Statement {
    return this.dialect.statement(
      `SELECT ${this.dialect.text('e.position')} AS event_position FROM ${this.event} e ` +
        `WHERE e.keep_until < ? AND e.created_at < ? ` +
        `AND e.position < (SELECT h.position FROM ${this.head} h WHERE h.id = 1) ` +
        `AND NOT EXISTS (SELECT 1 FROM ${this.event} s WHERE s.position = e.position + 1 AND s.created_at >= ?) ` +
        `ORDER BY e.keep_until LIMIT ?`,
      [now, cutoff, cutoff, limit],
    );
  }

  /** The first events above `after`, with the time at which each was written. */
  listAges(after: number, limit: number): Statement {
    return this.dialect.statement(
      `SELECT ${this.dialect.text('e.position')} AS event_position, ` +
        `${this.dialect.text('e.created_at')} AS created_at FROM ${this.event} e ` +
        `WHERE e.position > ? ORDER BY e.position LIMIT ?`,
      [after, limit],
    );
  }

  /**
   * Events that one of those above `after` and up to `through` covers: the same key and kind, nothing
   * spared that the older one ends, and remembered for as long. What ends access tokens only covers
   * nothing else and is covered by nothing else: a reload looks for it in a place of its own (X3).
   */
  findCovered(after: number, through: number, limit: number): Statement {
    return this.dialect.statement(
      `SELECT DISTINCT ${this.dialect.text('e.position')} AS event_position FROM ${this.event} l ` +
        `JOIN ${this.event} e ON e.event_key = l.event_key AND e.kind = l.kind ` +
        `AND e.position < l.position AND e.access_only = l.access_only ` +
        `WHERE l.position > ? AND l.position <= ? AND l.kind IN ('subject', 'issuer', 'key') ` +
        `AND COALESCE(l.kills_below, 0) >= COALESCE(e.kills_below, 0) ` +
        `AND COALESCE(l.issued_before, 0) >= COALESCE(e.issued_before, 0) ` +
        `AND (l.keep_until IS NULL OR l.keep_until >= e.keep_until) ` +
        `AND (l.except_key IS NULL OR l.except_key = e.except_key) LIMIT ?`,
      [after, through, limit],
    );
  }

  deleteEvents(positions: readonly number[]): Statement {
    return this.dialect.statement(
      `DELETE FROM ${this.event} WHERE position IN (${positions.map(() => '?').join(', ')})`,
      positions,
    );
  }

  raisePurgedThrough(position: number): Statement {
    return this.dialect.statement(
      `UPDATE ${this.head} SET purged_through = ? WHERE id = 1 AND purged_through < ?`,
      [position, position],
    );
  }

  /** X2: one instance at a time; the claim runs out by database time, should its holder die. */
  claimPurge(now: number, until: number): Statement {
    return this.dialect.statement(
      `UPDATE ${this.head} SET purge_claimed_until = ? WHERE id = 1 AND purge_claimed_until < ?`,
      [until, now],
    );
  }

  /** Prolongs the claim that ends at `until`, if no other instance has taken it since. */
  renewPurge(until: number, next: number): Statement {
    return this.dialect.statement(
      `UPDATE ${this.head} SET purge_claimed_until = ? WHERE id = 1 AND purge_claimed_until = ?`,
      [next, until],
    );
  }

  /** Gives the claim back, if it is still the one that ends at `until`. */
  releasePurge(until: number): Statement {
    return this.dialect.statement(
      `UPDATE ${this.head} SET purge_claimed_until = 0 WHERE id = 1 AND purge_claimed_until = ?`,
      [until],
    );
  }

  /** H4: raises the registered bounds, never lowers them; the head says who raised them. */
  registerBound(
    column: 'max_staleness' | 'max_token_life',
    value: number,
    instance: string,
  ): Statement {
    return this.dialect.statement(
      `UPDATE ${this.head} SET ${column} = ?, ${column}_by = ? WHERE id = 1 AND ${column} < ?`,
      [value, instance, value],
    );
  }

  /** What `{ manager }` writes in the caller's own transaction: column names and values. */
  static pendingValues(row: PendingRow): Record<string, string | number | Buffer | null> {
    return {
      event_id: Buffer.from(row.id, 'hex'),
      kind: row.kind,
      event_key: Buffer.from(row.key, 'hex'),
      except_key: row.except === null ? null : Buffer.from(row.except, 'hex'),
      access_only: row.accessOnly ? 1 : 0,
      expires_at: row.expiresAt,
      life: row.life,
      skew: row.skew,
      reason: row.reason,
      actor: row.actor,
    };
  }
}
