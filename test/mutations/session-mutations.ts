import type { Mutation } from './mutation.js';

const STORE = 'sessions/session-store.service';
const ROTATE = 'sessions/rotate';
const AT_ONCE = 'database/at-once.statements';
const ACCOUNTS = 'revocation/log/log.transactions';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

/** What the promises of sessions, refresh tokens and accounts rest on (issue 3). */
export const SESSION_MUTATIONS: readonly Mutation[] = [
  one(
    'a logout leaves the row of its session alone',
    ACCOUNTS,
    'const { affected } = yield this.accounts.endSessions([...new Set(keys)], reason);',
    'const affected = keys.length;',
    'cluster/sessions/races',
  ),
  one(
    'a refresh does not look at the marks of the account',
    ROTATE,
    'if (reason !== undefined)',
    'if (session.endedAt !== null && reason !== undefined)',
    'cluster/sessions/(accounts|races)',
  ),
  one(
    'a mark is not written',
    ACCOUNTS,
    '...mark(account, event),',
    '...account,',
    'cluster/sessions/(accounts|races)',
  ),
  one(
    'a refresh takes its position after it has asked for claims',
    'sessions/refresh.service',
    'const claims = await this.claimsFor(session, context);',
    'const claims = await this.claimsFor(session, context); Object.assign(since, await this.positions.read());',
    'cluster/sessions/races',
  ),
  one(
    'a retry is given a successor of its own',
    ROTATE,
    'if (isUsed)',
    'if (false)',
    'cluster/sessions/refresh',
  ),
  one('the grace never ends', ROTATE, 'now <= graceUntil', 'true', 'cluster/sessions/refresh'),
  one(
    'a reuse is refused and ends nothing',
    'sessions/refresh.service',
    "await this.end(session, context, { type: 'refresh_reused', reason: 'refresh_reused', reuse });",
    '',
    'cluster/sessions/refresh',
  ),
  one(
    'the successor is kept as it is',
    'sessions/refresh-token',
    'const cipher = createCipheriv(',
    "return Buffer.from(successor, 'base64url').toString('hex'); const cipher = createCipheriv(",
    'cluster/sessions/refresh|unit/sessions/refresh-token',
  ),
  one(
    'a locked account may log in',
    STORE,
    "return lockedUntil !== null && now < lockedUntil ? 'locked' : undefined;",
    'return undefined;',
    'cluster/sessions/accounts',
  ),
  one(
    'a shorter lock shortens a longer one',
    ACCOUNTS,
    'Math.max(until, account.lockedUntil ?? 0)',
    'until',
    'cluster/sessions/review-findings',
  ),
  one(
    'the purge takes the mark of revokeEveryone',
    ACCOUNTS,
    "draft.kind === 'issuer' ? now + LONGEST_SESSION : now",
    'now',
    'cluster/sessions/review-findings',
  ),
  one(
    'a login that is dead is stored',
    'sessions/start-session',
    'if (endOf(session, judgement) !== undefined)',
    'if (false)',
    'cluster/sessions/review-findings',
  ),
  one(
    'a late login is taken',
    'sessions/session.service',
    'if (this.positions.databaseNow() - since.now > POSITION_LIFE)',
    'if (false)',
    'cluster/sessions/review-findings',
  ),
  one(
    'an access token outlives its session',
    'sessions/access-token.signer',
    'Math.min(longest, Math.floor(end / 1000))',
    'longest',
    'cluster/sessions/review-findings',
  ),
  one(
    'the sessions of another issuer are ended with a key',
    'sessions/session-list',
    ".filter((row) => keys.hex('session', issuer, row['sid'] ?? '') === row['session_key'])",
    '',
    'cluster/sessions/review-findings',
  ),
  one(
    'an unanswered lock comes back after unlock',
    'accounts/account.service',
    'await this.log.settleUnknown();',
    '',
    'cluster/sessions/review-findings',
  ),
  one(
    'what a committed transaction ended stays in the list',
    'sessions/session.service',
    'await this.log.settlePending();\n        const { sessions',
    'const { sessions',
    'cluster/sessions/review-findings',
  ),
  one(
    'a refresh token is taken back in another way than it was given',
    'sessions/refresh.service',
    "session.delivery !== (context.delivery ?? 'body') ||",
    '',
    'cluster/sessions/refresh',
  ),
  one(
    'a page of another site may log out',
    'platform/cookies',
    'export function mayActWithCookies(request, origins) {',
    'export function mayActWithCookies(request, origins) { return true;',
    'e2e/http-csrf',
  ),
  one(
    'Fastify knows an own page by the last of the hosts that proxies list',
    'platform/cookies',
    'others.at(-1)?.trim() === host',
    'false',
    'e2e/http-csrf',
  ),
  one(
    'a token that is refused is logged',
    'sessions/refresh.service',
    'async refresh(token, context) {',
    'async refresh(token, context) { this.events.tell({ type: `refresh`, actor: token });',
    'security/nothing-leaks',
  ),
  one(
    'a refresh without a second look does not look for later cut-offs',
    AT_ONCE,
    'a.kills_below > ?4)',
    'FALSE)',
    'cluster/sessions/statements',
  ),
  one(
    'a refresh without a second look continues a session that has ended',
    AT_ONCE,
    'AND s.ended_at IS NULL AND COALESCE',
    'AND COALESCE',
    'cluster/sessions/statements',
  ),
  one(
    'a refresh without a second look takes its own word for the time',
    AT_ONCE,
    'BETWEEN ?6 AND ?7',
    '> 0',
    'cluster/sessions/statements',
  ),
  one(
    'a refresh in one statement locks nothing',
    AT_ONCE,
    ' FOR UPDATE SKIP LOCKED',
    '',
    'cluster/sessions/races',
  ),
  one(
    'a login in one statement lets a locked account in',
    AT_ONCE,
    'OR a.locked_until IS NOT NULL',
    '',
    'cluster/sessions/(statements|accounts)',
  ),
  one(
    'a login in one statement is not counted',
    'sessions/start-session',
    'const most = near === undefined ? 0 : 1;',
    'const most = 0;',
    'cluster/sessions/session-limits',
  ),
  one(
    'a session is always written in several statements',
    STORE,
    'stored && atOnce(stored)',
    'undefined',
    'cluster/sessions/statements',
  ),
  one(
    'a refresh in several statements does not lock its session',
    AT_ONCE,
    "if (lock !== undefined && this.dialect.forUpdate !== '')",
    'if (false)',
    'cluster/sessions/races',
  ),
  one(
    'a legacy token is good for ever',
    'authentication/legacy/legacy-tokens',
    'return this.proofs.now() < this.options.until;',
    'return true;',
    'security/legacy-rules|e2e/legacy',
  ),
];
