import type { AuthClock } from '../platform/auth-clock.js';
import type { PendingEvent } from './entities/revocation-event.entity.js';
import { integerOf } from './entities/table.js';
import { type HeadBefore, NOT_ENDED, NOT_RAISED } from './log.statements.js';
import { bytesOf, planName, type Row, type Statement } from './statement.js';
import { Statements } from './statement-repository.js';
import type { Dialect, OneStatement } from './dialect.js';

/** The revocation of a token or a session, as the statement takes it. */
export interface EndToAppend extends Pick<
  PendingEvent,
  'id' | 'key' | 'expiresAt' | 'life' | 'reason' | 'actor'
> {
  readonly kind: 'token' | 'session';
}

/** The log that the statement expects. If the database has another one, the statement does nothing. */
export interface ExpectedLog {
  readonly logId: string;
  /** The highest position that this instance has seen. A head below it is another history (H2). */
  readonly seen: number;
}

/** The numbers (ms) from which the statement computes `keep_until`, as `keepUntil()` does in JavaScript. */
export interface KeepingTimes {
  readonly longest: number;
  readonly margin: number;
}

/**
 * The write of W1 in one statement, for the first attempt to revoke tokens and sessions. PostgreSQL only.
 *
 * The parts of a WITH share one snapshot, and SQL gives them no order. Each part reads the rows of the part
 * before, so they run in this order:
 *
 * 1. `allowed` has a row if the settings are those of our transactions.
 * 2. `locked` locks the sessions, in the order of their keys, and reads them as they are after the lock.
 * 3. `head` locks the head, the last lock. It does so only if no session had ended, no event has one of the
 *    keys, and the log is the expected one. It reads the head as it is after the lock, not in the snapshot.
 * 4. `raised` raises the head. Only if it has a row are sessions ended and events inserted.
 *
 * So either everything is written or nothing. A trigger can suppress a row without an error. The last SELECT
 * counts the rows and fails if one is missing, which rolls everything back.
 *
 * A connection keeps the plans, because planning takes the server 1 ms, longer than the execution. A plan
 * for a small table must not scan a large one, so the search for earlier events has the index's order.
 */
export class AppendAtOnceStatement extends Statements {
  private readonly one: Kept;
  private readonly several: Kept;

  constructor(dialect: Dialect, { settingsAllow }: OneStatement, keeping: KeepingTimes) {
    super(dialect);
    const kept = (form: Form): Kept => {
      const sql = this.text(form, settingsAllow, keeping);
      return { sql, name: planName('append', sql) };
    };
    const { one, several } = formsOf(dialect);
    this.one = kept(one);
    this.several = kept(several);
  }

  /**
   * The statement for these revocations. Its result is one row; read it with {@link wasAllowed} and
   * {@link writtenUnder}.
   *
   * @param latest - The latest time that this process knows (epoch ms).
   * @param now - The time of a test's clock instead of the database's; `null`: the database's time.
   */
  of(
    ends: readonly EndToAppend[],
    { logId, seen }: ExpectedLog,
    latest: number,
    now: number | null,
  ): Statement {
    const log = [seen, logId, latest, now];
    const [first] = ends;
    if (ends.length === 1 && first !== undefined) {
      const { id, kind, key, expiresAt, life, reason, actor } = first;
      const values = [bytesOf(id), kind, bytesOf(key), expiresAt, life, reason, actor, ...log];
      return { ...this.one, values };
    }
    const values = [
      bytesList(ends.map(({ id }) => id)),
      ends.map(({ kind }) => kind),
      bytesList(ends.map(({ key }) => key)),
      ends.map(({ expiresAt }) => expiresAt),
      ends.map(({ life }) => life),
      ends.map(({ reason }) => reason),
      ends.map(({ actor }) => actor),
      ...log,
    ];
    return { ...this.several, values };
  }

  private text(form: Form, settingsAllow: string, { longest, margin }: KeepingTimes): string {
    const { now, server, text, hex } = this.dialect;
    const [log, headTable, event, session] = (
      ['auth_log', 'auth_head', 'auth_event', 'auth_session'] as const
    ).map((name) => this.dialect.table(name));
    const latest = 'GREATEST(head.time, $10::bigint)';
    return (
      `WITH allowed AS (SELECT '1' AS one WHERE ${settingsAllow}), ` +
      `locked AS (SELECT s.ended_at FROM ${session} s WHERE s.session_key ${form.among} ` +
      `AND EXISTS (SELECT FROM allowed) ORDER BY s.session_key FOR UPDATE), ` +
      `head AS (SELECT h.position AS place, h.max_token_life AS life, h.max_staleness AS staleness, ` +
      `h.last_event_id AS last_id, COALESCE($11::bigint, ${now}) AS time, ${server} AS server ` +
      `FROM ${headTable} h ` +
      `WHERE h.id = 1 AND h.position >= $8::bigint AND COALESCE(h.server = ${server}, TRUE) ` +
      `AND EXISTS (SELECT FROM ${log} l WHERE l.id = 1 AND l.log_id = $9::text) ` +
      `AND EXISTS (SELECT FROM allowed) ` +
      `AND NOT EXISTS (SELECT FROM locked WHERE ended_at IS NOT NULL) ` +
      // Events of any kind: keys of different kinds differ. If there is one, the several statements decide.
      `AND (SELECT e.event_key FROM ${event} e WHERE e.event_key ${form.among} ` +
      `ORDER BY e.event_key LIMIT 1) IS NULL FOR UPDATE), ` +
      `raised AS (UPDATE ${headTable} h SET position = head.place + ${form.count}, ` +
      `last_event_id = ${form.last}, server = head.server FROM head WHERE h.id = 1 RETURNING 1), ` +
      `ended AS (UPDATE ${session} s SET ended_at = ${now}, end_reason = ${form.ended} ` +
      `AND s.session_key ${form.among} AND EXISTS (SELECT FROM raised) RETURNING 1), ` +
      `added AS (INSERT INTO ${event} (position, event_id, kind, event_key, access_only, keep_until, reason, actor, created_at) ` +
      `SELECT head.place + d.place, d.id, d.kind, d.key, 0, ` +
      `LEAST(CASE WHEN d.expires_at IS NULL THEN ${latest} + GREATEST(d.life, head.life) ` +
      `ELSE GREATEST(d.expires_at, ${latest}) END, head.time + ${longest}) + ${margin}, ` +
      `d.reason, d.actor, head.time FROM head, ${form.rows} ` +
      `WHERE EXISTS (SELECT FROM raised) RETURNING 1) ` +
      `SELECT (SELECT one FROM allowed) AS allowed, ${text('head.place')} AS place, ` +
      `${hex('head.last_id')} AS last_id, ${text('head.life')} AS life, ` +
      `${text('head.staleness')} AS staleness, ` +
      // A cast of a text that is not a number fails, with the text in the server's message.
      `${text(`CASE WHEN head.time IS NULL OR (${form.isAll} AND ${ALL_ENDED}) THEN ${text('head.time')} WHEN ${form.isAll} THEN '${NOT_ENDED}' ELSE '${NOT_RAISED}' END::bigint`)} AS now ` +
      `FROM (SELECT 1) one LEFT JOIN head ON TRUE`
    );
  }
}

/** Whether every locked session was ended. A trigger may suppress a row without an error. */
const ALL_ENDED = '(SELECT COUNT(*) FROM ended) = (SELECT COUNT(*) FROM locked)';

/** A statement whose plan a connection keeps. */
type Kept = Required<Pick<Statement, 'sql' | 'name'>>;

/** The SQL that differs between the text for one event and the text for several, which takes lists. */
interface Form {
  /** The end of a condition: the key is one of the given keys. */
  readonly among: string;
  /** The reason why a session is ended, and the rest of the UPDATE up to its condition. */
  readonly ended: string;
  /** The number of events. */
  readonly count: string;
  /** The id of the last event. */
  readonly last: string;
  /** The given revocations as rows, each with its place from 1. */
  readonly rows: string;
  /** Whether every event was inserted. */
  readonly isAll: string;
}

/**
 * The form for one event has no lists, because each list takes the server as long as a search in an index.
 */
function formsOf(dialect: Dialect): Readonly<Record<'one' | 'several', Form>> {
  const types = ['bytea', 'text', 'bytea', 'bigint', 'bigint', 'text', 'text'];
  const names = ['id', 'kind', 'key', 'expires_at', 'life', 'reason', 'actor'];
  const scalars = types.map((type, index) => `${dialect.placeholder(index + 1)}::${type}`);
  const lists = scalars.map((scalar) => `${scalar}[]`);
  const [ids = '', , keys = '', , , reasons = ''] = lists;
  const columns = scalars.map((scalar, index) => `${scalar} AS ${names[index]}`).join(', ');
  return {
    one: {
      among: `= ${scalars[2]}`,
      ended: `${scalars[5]} WHERE TRUE`,
      count: '1',
      last: `${scalars[0]}`,
      rows: `(SELECT ${columns}, 1 AS place) d`,
      isAll: 'EXISTS (SELECT FROM added)',
    },
    several: {
      among: `= ANY(${keys})`,
      ended: `d.reason FROM unnest(${keys}, ${reasons}) AS d(key, reason) WHERE s.session_key = d.key`,
      count: `cardinality(${ids})`,
      last: `(${ids})[cardinality(${ids})]`,
      rows: `unnest(${lists.join(', ')}) WITH ORDINALITY AS d(${names.join(', ')}, place)`,
      isAll: `(SELECT COUNT(*) FROM added) = cardinality(${ids})`,
    },
  };
}

/** An array of binary values as PostgreSQL writes it, without a Buffer for each value. */
function bytesList(hexes: readonly string[]): string {
  return `{\\\\x${hexes.join(',\\\\x')}}`;
}

/** Whether the settings of the connection allowed the statement. If not, use several statements. */
export function wasAllowed(row: Row): boolean {
  return row['allowed'] === '1';
}

/** The head as it was before the write; `undefined` if nothing was written. */
export function writtenUnder(
  { place, last_id, life, staleness, now }: Row,
  clock: Pick<AuthClock, 'database'>,
): HeadBefore | undefined {
  if (now === null) return undefined;
  return {
    position: integerOf(place),
    lastEventId: last_id ?? null,
    maxTokenLife: integerOf(life),
    maxStaleness: integerOf(staleness),
    now: clock.database(integerOf(now)),
  };
}
