import type { Mutation } from './mutation.js';

const TRANSACTIONS = 'sessions/store/session.transactions';
const LIMITS = 'sessions/store/session-limits';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

/** What lists, limits, cookies and routes rest on (issue 9). */
export const SESSION_LIST_MUTATIONS: readonly Mutation[] = [
  one(
    'a page of sessions reads all of them',
    TRANSACTIONS,
    'const batch = Math.max(limit - sessions.length + 1, SMALLEST_READ);',
    'const batch = 1_000_000;',
    'cluster/sessions/session-list',
  ),
  one(
    'a page of sessions looks for live ones without an end',
    TRANSACTIONS,
    'read += rows.length;',
    '',
    'cluster/sessions/session-list',
  ),
  one(
    'a page of sessions forgets those of the same millisecond',
    'sessions/store/session.statements',
    '(s.created_at < ? OR s.session_key < ?)',
    '(s.created_at < ? AND s.session_key <> ?)',
    'cluster/sessions/session-list',
  ),
  one(
    'MariaDB chooses the index of a page itself',
    'revocation/store/mysql.dialect',
    '` FORCE INDEX (${index})`',
    "''",
    'cluster/storage/query-plans',
  ),
  one(
    'a page of sessions is sorted on PostgreSQL',
    'revocation/store/postgres.dialect',
    'behindNull: (column, order) => `${column} ${order}, `,',
    "behindNull: () => '',",
    'cluster/storage/query-plans',
  ),
  one(
    'whoever knows a session’s id may end it',
    TRANSACTIONS,
    'if (session.subjectKey !== subjectKey)',
    'if (false)',
    'cluster/sessions/session-list|e2e/http-sessions',
  ),
  one(
    'a name that is not listed has no limit',
    LIMITS,
    'this.limit = limits.get(isListed ? client : SHARED_LIMIT) ?? Infinity;',
    'this.limit = limits.get(client) ?? 10_000;',
    'cluster/sessions/session-limits',
  ),
  one(
    'a login ends the newest of those beyond the limit',
    LIMITS,
    'oldest.length === MOST_ENDED ? oldest : beyond',
    'beyond',
    'cluster/sessions/session-limits',
  ),
  one(
    'logins at the same moment do not see each other',
    TRANSACTIONS,
    'yield this.accounts.lock([session.subjectKey]);',
    '',
    'cluster/sessions/session-limits',
  ),
  one(
    'there is no limit of sessions by default',
    'options/session-settings',
    'maxSessions = 100;',
    'maxSessions = false;',
    'cluster/sessions/session-limits',
  ),
];
