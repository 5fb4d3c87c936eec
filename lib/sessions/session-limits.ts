import { bytesOf, placeholders } from '../database/entities/table.js';
import type { AccountRow } from '../database/account.statements.js';
import type { Dialect } from '../database/dialect.js';
import type { Statement, Transaction } from '../database/statement.js';
import type { SessionRow } from '../database/session-rows.js';

/** The name of the limit that unlisted and absent client names share. */
export const SHARED_LIMIT = '*';

/** Sessions that one login ends at most; the next login goes on. */
export const MOST_ENDED = 20;

/** Rows beside those that count that one search passes by: expired ones, and those that a mark ended. */
const MOST_PASSED = 1_000;

/** How many sessions an account may have, by client name; `'*'` is always among them. */
export type SessionLimits = ReadonlyMap<string, number>;

/** Against what a session is judged: its account, its issuer, and the database's time. */
export interface Judgement {
  readonly account: AccountRow;
  readonly issuer: AccountRow;
  readonly now: number;
}

/** Finds the sessions that share a limit with one that begins, and those beyond it. */
export class SessionLimiter {
  private readonly limit: number;
  private readonly group: Statement;
  private readonly most: number;

  constructor(
    private readonly dialect: Dialect,
    private readonly session: SessionRow,
    limits: SessionLimits,
  ) {
    const { client } = session;
    const isListed = client !== null && client !== SHARED_LIMIT && limits.has(client);
    this.limit = limits.get(isListed ? client : SHARED_LIMIT) ?? Infinity;
    this.group = groupOf(isListed ? client : null, limits);
    this.most = [...limits.values()].reduce((sum, limit) => sum + limit, MOST_PASSED);
  }

  /**
   * Whether so few sessions share the limit that none has to end, even if some logins at the same moment
   * do not see each other; else the account has to be locked first.
   */
  *isFar(judgement: Judgement): Transaction<boolean> {
    const near = this.limit - MOST_ENDED;
    if (near <= 0) return false;
    return (yield this.find(judgement, 'DESC', near - 1, 1)).rows.length === 0;
  }

  /** The ids of those beyond the limit: the oldest, {@link MOST_ENDED} at most, never the one that begins. */
  *surplus(judgement: Judgement): Transaction<string[]> {
    const { rows: beyond } = yield this.find(judgement, 'DESC', this.limit - 1, MOST_ENDED);
    if (beyond.length < MOST_ENDED) return sidsOf(beyond);
    const { rows: oldest } = yield this.find(judgement, 'ASC', 0, MOST_ENDED);
    // More are over than one search passes by: then these are not the oldest, but beyond the limit too.
    return sidsOf(oldest.length === MOST_ENDED ? oldest : beyond);
  }

  private find(
    { account, issuer, now }: Judgement,
    order: 'ASC' | 'DESC',
    skipped: number,
    count: number,
  ): Statement {
    const { session, dialect, group } = this;
    const by = (name: string): string =>
      `${name}.created_at ${order}, ${name}.session_key ${order}`;
    return dialect.statement(
      `SELECT o.sid FROM (SELECT s.* FROM ${dialect.table('auth_session')} s` +
        `${dialect.ordered('auth_session_open')} WHERE s.subject_key = ? AND s.ended_at IS NULL ORDER BY ${dialect.behindNull('s.ended_at', order)}${by('s')} LIMIT ?) o ` +
        `WHERE o.session_key <> ? AND o.idle_until > ? AND o.gen >= ? ` +
        `AND (o.gen >= ? OR (o.session_key = ? AND o.gen >= ?)) AND ${group.sql} ` +
        `ORDER BY ${by('o')} LIMIT ? OFFSET ?`,
      [
        bytesOf(session.subjectKey),
        this.most,
        bytesOf(session.key),
        now,
        issuer.killsBelow,
        account.killsBelow,
        bytesOf(account.exceptKey),
        account.sparedBelow,
        ...group.values,
        count,
        skipped,
      ],
    );
  }
}

/**
 * MariaDB takes `'tv '` for `'tv'`; such a name is not the one that was listed, and would else have no
 * limit at all.
 */
function groupOf(client: string | null, limits: SessionLimits): Statement {
  if (client !== null) {
    return { sql: `o.client = ? AND o.client NOT LIKE '% '`, values: [client] };
  }
  const listed = [...limits.keys()].filter((name) => name !== SHARED_LIMIT);
  if (listed.length === 0) return { sql: '1 = 1', values: [] };
  return {
    sql: `(o.client IS NULL OR o.client NOT IN (${placeholders(listed)}) OR o.client LIKE '% ')`,
    values: listed,
  };
}

function sidsOf(rows: readonly Readonly<Record<string, string | null>>[]): string[] {
  return rows.map(({ sid }) => sid ?? '');
}
