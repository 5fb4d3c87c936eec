import type { Mutation } from './mutation.js';

const TRANSACTIONS = 'sessions/session.transactions';
const LIMITS = 'sessions/session-limits';

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
    'database/session.statements',
    '(s.created_at < ? OR s.session_key < ?)',
    '(s.created_at < ? AND s.session_key <> ?)',
    'cluster/sessions/session-list',
  ),
  one(
    'MariaDB chooses the index of a page itself',
    'database/mysql.dialect',
    '` FORCE INDEX (\\`${prefixed(index)}\\`)`',
    "''",
    'cluster/storage/query-plans',
  ),
  one(
    'SQLite chooses the index of a page itself',
    'database/sqlite.dialect',
    '` INDEXED BY "${prefixed(index)}"`',
    "''",
    'cluster/storage/query-plans',
  ),
  one(
    'a page of sessions is sorted on PostgreSQL',
    'database/postgres.dialect',
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
    'yield this.accounts.insertMissing([session.subjectKey]);',
    '',
    'cluster/sessions/session-limits',
  ),
  one(
    'there is no limit of sessions by default',
    'options/auth-option-table',
    'maxSessions: option(100,',
    'maxSessions: option(false,',
    'cluster/sessions/session-limits',
  ),
  one(
    'Fastify judges the kind of a body that is not there',
    'http/own-routes',
    "delete headers['content-type'];",
    '',
    'e2e/http-empty-bodies',
  ),
  one(
    'Fastify reads a body in chunks that is empty',
    'http/own-routes',
    'callback(raw.readableLength === 0 && !raw.destroyed);',
    'callback(false);',
    'e2e/http-empty-bodies',
  ),
  one(
    'Fastify refuses a body that nobody reads',
    'http/own-routes',
    "!isParsed(server, raw.headers['content-type'])",
    'false',
    'e2e/http-empty-bodies',
  ),
  one(
    'all applications of a host share their cookies',
    'http/cookie-options',
    'values.name === undefined',
    'true',
    'e2e/http-cookie-lives',
  ),
  one(
    'a cookie of a former name is not read',
    'authentication/token-source',
    'const former = formerNames.flatMap((each) => cookieValues(header, each)).filter(isKind);',
    'const former = [];',
    'e2e/http-cookie-lives',
  ),
  one(
    'a refresh makes a login persistent',
    'sessions/login-context',
    '...(isPersistent ? {} : { persistent: false }),',
    '',
    'e2e/http-cookie-lives',
  ),
  one(
    'a planted cookie keeps its victim from logging out',
    'http/auth-cookies.service',
    'const tokens = allCookies(String(header), refreshName, formerNames, isRefreshToken);',
    'const tokens = [singleCookie(String(header), refreshName)].filter((token) => token !== undefined);',
    'e2e/http-cookie-lives',
  ),
  one(
    'a logout takes another’s token beside its own',
    'authentication/token-source',
    'if (token !== undefined && found.length > 1)',
    'if (false)',
    'e2e/http-cookie-lives',
  ),
  one(
    'a wildcard of origins boots, and never matches',
    'http/cookie-options',
    "!given.includes('*') &&",
    '',
    'e2e/http-options|e2e/http-cookie-lives',
  ),
  one(
    'a login lasts as long as any, whatever it asks for',
    'sessions/login-context',
    'return Math.min(life, longest);',
    'return longest;',
    'cluster/sessions/lives',
  ),
  one(
    'one session repeats logout-others without a limit',
    'http/logout.routes',
    'if (repeats.count >= MOST_REPEATS)',
    'if (false)',
    'e2e/http-limit',
  ),
  one(
    'guesses are not counted',
    'http/guess-limit',
    'if (wait > 0)',
    'if (false)',
    'e2e/http-limit',
  ),
  one(
    'each address of an IPv6 network guesses anew',
    'http/guess-limit',
    'networkOf(address, 4, 4)',
    'networkOf(address, 4, 8)',
    'e2e/http-limit',
  ),
  one(
    'wrong refresh tokens are not counted',
    'http/guess-limit',
    'if (limit !== undefined && isWrong)',
    'if (false)',
    'e2e/http-limit',
  ),
  one(
    'right guesses count as wrong ones',
    'http/guess-limit',
    'if (!isWrong)',
    'if (false)',
    'e2e/http-limit',
  ),
];
