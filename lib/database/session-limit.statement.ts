import type { Dialect } from './dialect.js';
import type { Judgement } from './account.statements.js';
import { bytesOf, type Statement, statementOf } from './statement.js';
import type { SessionRow } from './session.statements.js';

/**
 * Finds an account's other open sessions that share a limit (`maxSessions`) with `session`. Raw SQL,
 * because it first reads a bounded part of the index in its order, and then filters that part. So an
 * account with many rows cannot make a login slow.
 *
 * @param group - The client name to count, or `null` for all clients that are not `listed`.
 * @param judgement - The watermarks, which exclude revoked sessions.
 * @param page - The order, the most rows to read (`passed`), and which of the found sessions to return.
 */
export function sharingALimit(
  dialect: Dialect,
  session: Pick<SessionRow, 'key' | 'subjectKey'>,
  group: { readonly only: string | null; readonly listed: readonly string[] },
  { account, issuer, now }: Judgement,
  page: {
    readonly order: 'ASC' | 'DESC';
    readonly passed: number;
    readonly skipped: number;
    readonly count: number;
  },
): Statement {
  const { order, passed, skipped, count } = page;
  const table = dialect.table('auth_session');
  const by = (name: string): string => `${name}.created_at ${order}, ${name}.session_key ${order}`;
  const [counted, names] = countedClients(group.only, group.listed);
  return statementOf(
    dialect,
    `SELECT o.sid FROM (SELECT s.* FROM ${table} s${dialect.ordered('auth_session_open')} ` +
      `WHERE s.subject_key = ? AND s.ended_at IS NULL ` +
      `ORDER BY ${dialect.behindNull('s.ended_at', order)}${by('s')} LIMIT ?) o ` +
      `WHERE o.session_key <> ? AND o.idle_until > ? AND o.gen >= ? ` +
      `AND (o.gen >= ? OR (o.session_key = ? AND o.gen >= ?)) AND ${counted} ` +
      `ORDER BY ${by('o')} LIMIT ? OFFSET ?`,
    [
      bytesOf(session.subjectKey),
      passed,
      bytesOf(session.key),
      now,
      issuer.killsBelow,
      account.killsBelow,
      bytesOf(account.exceptKey),
      account.sparedBelow,
      ...names,
      count,
      skipped,
    ],
  );
}

/**
 * A condition on the client name, and its values. For MariaDB `'tv '` equals `'tv'`. A name with a blank at
 * its end is not the listed one, and without the LIKE it would be counted in no group and have no limit.
 */
function countedClients(
  only: string | null,
  listed: readonly string[],
): [sql: string, values: readonly string[]] {
  if (only !== null) return [`o.client = ? AND o.client NOT LIKE '% '`, [only]];
  if (listed.length === 0) return ['1 = 1', []];
  return [
    `(o.client IS NULL OR o.client NOT IN (${listed.map(() => '?').join(', ')}) OR o.client LIKE '% ')`,
    listed,
  ];
}
