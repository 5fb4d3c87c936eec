import { AuthHead } from './entities/auth-log.entity.js';
import type { RevocationReason } from './entities/revocation-event.entity.js';
import { HEAD_PROPERTIES, NOT_RAISED } from './log.statements.js';
import { bytesOf, planName } from './prepared-statement.js';
import { Statements } from './statement-repository.js';
import type { Dialect, OneStatement } from './dialect.js';
import type { Row, Statement } from './statement.js';

/** The end of a token or a session, as the statement takes it. */
export interface EndToAppend {
  readonly id: string;
  readonly kind: 'token' | 'session';
  readonly key: string;
  /** `token`: its own expiry (epoch ms), by which its event can be forgotten. */
  readonly expiresAt: number | null;
  /** Otherwise for how long after the latest of the times, at least (ms). */
  readonly life: number | null;
  readonly reason: RevocationReason;
  readonly actor: string | null;
}

/** What must hold of the log, or the statement does nothing. */
export interface ExpectedLog {
  readonly logId: string;
  /** The highest position that was seen. */
  readonly seen: number;
}

/** How long an event is kept, for {@link AppendAtOnce}: the same as `keepUntil` of the log computes. */
export interface KeepingTimes {
  readonly longest: number;
  readonly margin: number;
}

/**
 * W1 in one statement, for the first ends of tokens and sessions. The parts of a WITH share one snapshot
 * and run in no order of their own, so each waits for the rows of the one before:
 *
 * 1. `allowed` has a row if the settings are those of a transaction of ours.
 * 2. `locked` locks the sessions, in the order of their keys, and reads them as they are then.
 * 3. `head` locks the head, last of all, if no session had ended, no event ends one of the keys, and the
 *    log is the one that is known. It reads the head as it is then, not as the snapshot has it.
 * 4. `raised` raises the head, and only with its row do sessions end and events appear.
 *
 * So either everything is written or nothing. A trigger can leave a row out without an error: the last
 * SELECT counts the rows and fails, which undoes all. Raw, and PostgreSQL only.
 */
export class AppendAtOnceStatement extends Statements {
  /** For one event, whose plan a connection keeps: by a unique key it is the same for any size of the tables. */
  private readonly one: { readonly sql: string; readonly name: string };
  /** For several, planned each time: a kept plan for a list is a scan of what was a small table. */
  private readonly several: { readonly sql: string };

  constructor(dialect: Dialect, { settingsAllow }: OneStatement, keeping: KeepingTimes) {
    super(dialect);
    const keys = '$3::bytea[]';
    const sql = this.text(settingsAllow, keeping, `= (${keys})[1]`);
    this.several = { sql: this.text(settingsAllow, keeping, `= ANY(${keys})`) };
    this.one = { sql, name: planName('append', sql) };
  }

  /**
   * The answer is one row: {@link wasAllowed}, and the head as it was, or NULL where nothing was written.
   *
   * @param latest - The latest time that this process knows (epoch ms).
   * @param now - The database's time for a test; `null`: its own.
   */
  of(
    ends: readonly EndToAppend[],
    { logId, seen }: ExpectedLog,
    latest: number,
    now: number | null,
  ): Statement {
    return {
      ...(ends.length === 1 ? this.one : this.several),
      values: [
        ends.map(({ id }) => bytesOf(id)),
        ends.map(({ kind }) => kind),
        ends.map(({ key }) => bytesOf(key)),
        ends.map(({ expiresAt }) => expiresAt),
        ends.map(({ life }) => life),
        ends.map(({ reason }) => reason),
        ends.map(({ actor }) => actor),
        seen,
        logId,
        latest,
        now,
      ],
    };
  }

  /** @param among - A condition: a key is one of those that are to end. */
  private text(settingsAllow: string, { longest, margin }: KeepingTimes, among: string): string {
    const { now, server, isReadOnly, text } = this.dialect;
    const [log, headTable, event, session] = (
      ['auth_log', 'auth_head', 'auth_event', 'auth_session'] as const
    ).map((name) => this.dialect.table(name));
    const ids = '$1::bytea[]';
    const keys = '$3::bytea[]';
    const latest = 'GREATEST(head.time, $10::bigint)';
    const isDone = `head.time IS NULL OR (SELECT COUNT(*) FROM added) = cardinality(${ids})`;
    return (
      `WITH allowed AS (SELECT 1 AS one WHERE ${settingsAllow}), ` +
      `locked AS (SELECT s.ended_at FROM ${session} s WHERE s.session_key ${among} ` +
      `AND EXISTS (SELECT FROM allowed) ORDER BY s.session_key FOR UPDATE), ` +
      `head AS (SELECT h.position AS place, h.max_token_life AS life, ` +
      `COALESCE($11::bigint, ${now}) AS time, ${this.table(AuthHead).select('h', HEAD_PROPERTIES)}, ` +
      `${text(server)} AS server_now, ${text(isReadOnly)} AS read_only FROM ${headTable} h ` +
      `WHERE h.id = 1 AND h.position >= $8::bigint AND COALESCE(h.server = ${server}, TRUE) ` +
      `AND EXISTS (SELECT FROM ${log} l WHERE l.id = 1 AND l.log_id = $9::text) ` +
      `AND EXISTS (SELECT FROM allowed) ` +
      `AND NOT EXISTS (SELECT FROM locked WHERE ended_at IS NOT NULL) ` +
      `AND NOT EXISTS (SELECT FROM ${event} e WHERE e.event_key ${among} ` +
      `AND e.kind IN ('token', 'session')) FOR UPDATE), ` +
      `raised AS (UPDATE ${headTable} h SET position = head.place + cardinality(${ids}), ` +
      `last_event_id = (${ids})[cardinality(${ids})], server = ${server} ` +
      `FROM head WHERE h.id = 1 RETURNING 1), ` +
      `ended AS (UPDATE ${session} s SET ended_at = ${now}, end_reason = d.reason ` +
      `FROM unnest(${keys}, $6::text[]) AS d(key, reason) ` +
      `WHERE s.session_key = d.key AND s.session_key ${among} AND EXISTS (SELECT FROM raised)), ` +
      `added AS (INSERT INTO ${event} (position, event_id, kind, event_key, access_only, keep_until, reason, actor, created_at) ` +
      `SELECT head.place + d.place, d.id, d.kind, d.key, 0, ` +
      `LEAST(CASE WHEN d.expires_at IS NULL THEN ${latest} + GREATEST(d.life, head.life) ` +
      `ELSE GREATEST(d.expires_at, ${latest}) END, head.time + ${longest}) + ${margin}, ` +
      `d.reason, d.actor, head.time FROM head, ` +
      `unnest(${ids}, $2::text[], ${keys}, $4::bigint[], $5::bigint[], $6::text[], $7::text[]) ` +
      `WITH ORDINALITY AS d(id, kind, key, expires_at, life, reason, actor, place) ` +
      `WHERE EXISTS (SELECT FROM raised) RETURNING 1) ` +
      `SELECT ${text('(SELECT COUNT(*) FROM allowed)')} AS allowed, head.*, ` +
      // A text that is no number fails, and the server's message has it.
      `${text(`CASE WHEN ${isDone} THEN ${text('head.time')} ELSE '${NOT_RAISED}' END::bigint`)} AS now ` +
      `FROM (SELECT 1) one LEFT JOIN head ON TRUE`
    );
  }
}

/** Whether the settings of the connection allow a transaction of one statement. */
export function wasAllowed(row: Row): boolean {
  return row['allowed'] === '1';
}

/** Whether it wrote. */
export function wasWritten(row: Row): boolean {
  return row['now'] !== null;
}
