import type { Dialect } from './dialect.js';
import type { Judgement } from './account.statements.js';
import { bytesOf, type Statement, statementOf } from './statement.js';
import type { SessionRow } from './session.statements.js';

/**
 * The ids of an account's open sessions that share a limit with `session`, without itself. Raw SQL,
 * because it reads a bounded part of the index in order and judges that part outside of it.
 *
 * @param group - The client name that is counted, or `null` for all except the `listed` ones.
 * @param passed - How many rows of the index are read at most.
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
 * A condition on the client name, and its values. MariaDB takes `'tv '` for `'tv'`; such a name is not
 * the listed one, and would otherwise have no limit at all.
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
