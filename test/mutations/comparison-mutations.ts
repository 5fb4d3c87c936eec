import type { Mutation } from './mutation.js';
import { SESSION_MUTATIONS } from './session-mutations.js';

/** A mutation for one row of docs/comparison.md, which its named test catches. */
export interface RowMutation extends Mutation {
  /** The number of the row in the table "Features". */
  readonly row: number;
  /** The test as the row names it. */
  readonly shownBy: string;
}

type Edits = Mutation['edits'];

const INDEX = 'revocation/index/revocation-index';
const DECIDER = 'revocation/revocation-decider.service';
const REUSE = 'sessions/reuse';
const ROTATE = 'sessions/rotate';
const REFRESH = 'cluster/sessions/refresh.spec.ts';

const NOT_FOLLOWED: Edits = [
  {
    file: 'revocation/feed/revocation-feed.service',
    find: 'this.cancelNext = this.clock.schedule(pause, () => this.run());',
    replace: '',
  },
  {
    file: 'revocation/staleness/proof-clock',
    find: 'return wall > monotonic ? wall : monotonic;',
    replace: 'return 0;',
  },
];

function edit(file: string, find: string, replace: string): Edits {
  return [{ file, find, replace }];
}

/** The edits of a mutation that has another purpose too. */
function same(name: string): Edits {
  const found = SESSION_MUTATIONS.find((each) => each.name === name);
  if (found === undefined) throw new Error(`There is no mutation "${name}".`);
  return found.edits;
}

function row(number: number, name: string, shownBy: string, edits: Edits): RowMutation {
  const [file = '', title = ''] = shownBy.split(': ');
  const tests = `${file.replace(/\.ts$/, '')}.js`;
  return { name: `comparison ${number}: ${name}`, row: number, shownBy, edits, tests, title };
}

/** Each row of docs/comparison.md that says Y, and what must not be broken without its test failing. */
export const COMPARISON_MUTATIONS: readonly RowMutation[] = [
  row(
    1,
    'no revocation is looked up',
    'cluster/promises/p1-p2-p5-two-processes.spec.ts: P1 local',
    edit(
      DECIDER,
      'const hit = this.index.find(claims, kid, isApiToken(claims, kid), kept);',
      'const hit = undefined;',
    ),
  ),
  row(
    2,
    'the revocation of an account is not looked up',
    'e2e/logout-service.spec.ts: logoutAll, revokeEveryone',
    edit(INDEX, 'return REVOKED.subject[note];', 'return undefined;'),
  ),
  row(
    3,
    'logout-others ends the caller’s session too',
    'e2e/http-contract.spec.ts: logout-others ends the others',
    edit('logout/logout.service', 'subject: sub, exceptSession: sid }', 'subject: sub }'),
  ),
  row(
    4,
    'ending another session ends the whole account',
    'e2e/http-contract.spec.ts: logging out there leaves here alone',
    edit(
      'http/sessions.routes',
      'await this.logoutService.logoutSession(id, { issuer: token.iss, ...auditOf(request) });',
      'await this.logoutService.logoutAll(token.sub, auditOf(request));',
    ),
  ),
  row(
    5,
    'no session of a client is found',
    'cluster/sessions/logout-scopes.spec.ts: the sessions of one client end on every instance',
    edit('sessions/session-scope', 'session.client === scope.client', 'false'),
  ),
  row(
    6,
    'the revocation of all users is not looked up',
    'e2e/logout-service.spec.ts: logoutAll, revokeEveryone',
    edit(INDEX, 'return REVOKED.issuer[note];', 'return undefined;'),
  ),
  row(
    8,
    'an expired token cannot log out',
    'e2e/http-contract.spec.ts: an expired access token logs out',
    edit(
      'http/logout.routes',
      'this.tokens.verify(text, { allowExpired: true })',
      'this.tokens.verify(text)',
    ),
  ),
  row(
    9,
    'a refresh token logs out once',
    'e2e/http-contract.spec.ts: a refresh token logs out, and again',
    edit(
      'http/logout.routes',
      'return session;',
      "if (session.endedAt !== null) throw refusal('refresh_token_invalid'); return session;",
    ),
  ),
  row(
    10,
    'any session can be ended by its id',
    'e2e/http-bad-input.spec.ts: leaves another account’s session alone',
    edit('http/sessions.routes', "throw refusal('not_found')", 'void 0'),
  ),
  row(
    11,
    'a storage error is swallowed',
    'cluster/promises/p10-honest.spec.ts: a logout in one statement answers 503 storage_unavailable whatever fails',
    edit(
      'revocation/log/revocation-log.service',
      'throw storageUnavailable((error instanceof StorageFailure',
      'return { head: { maxStaleness: 0 }, events: [] }; throw storageUnavailable((error instanceof StorageFailure',
    ),
  ),
  row(
    14,
    'the revocation endpoint ends nothing',
    'e2e/http-rfc.spec.ts: ends the session of an',
    edit(
      'http/token.routes',
      'await this.logoutService.logout(tokenOf(request), auditOf(request));',
      'tokenOf(request);',
    ),
  ),
  row(
    15,
    'introspection does not check revocations',
    'e2e/http-rfc.spec.ts: an access token after logout',
    edit('authentication/token.service', 'await this.verifier.decide(token, demand);', ''),
  ),
  row(
    16,
    'a jti is not looked up',
    'e2e/revocation-guard.spec.ts: RevocationGuard accepts a token of a registered issuer',
    edit(INDEX, 'if (jti !== undefined && this.tokens.size > 0) {', 'if (false) {'),
  ),
  row(
    17,
    'each request asks the database',
    'cluster/promises/p11-free.spec.ts: send nothing to the database',
    edit(DECIDER, "if (freshness === 'strict' || this.isAhead(claims)) {", 'if (true) {'),
  ),
  row(
    18,
    'the revocation of an account is compared in seconds',
    'cluster/promises/same-second.spec.ts: the old token is refused and the new one is accepted',
    edit(INDEX, 'const byGen = own && identity.gen !== undefined;', 'const byGen = false;'),
  ),
  row(
    20,
    'tokens of the same second as a logout are accepted',
    'e2e/revocation-guard.spec.ts: tokens without gen are refused in the same second as a logoutAll',
    edit(INDEX, 'Math.floor(event.issuedBefore / 1000) + 1', 'Math.floor(issuedBefore / 1000) - 8'),
  ),
  row(
    21,
    'a route’s freshness is ignored',
    'cluster/policies/when-stale.spec.ts: the policy of the route decides, and never accepts a token that is',
    edit(DECIDER, 'Math.min(freshness * 1000, maxStaleness)', 'maxStaleness'),
  ),
  row(
    22,
    'the log is not followed, and counts as fresh',
    'cluster/promises/p1-p2-p5-two-processes.spec.ts: P2 bounded',
    NOT_FOLLOWED,
  ),
  row(
    23,
    'a route’s policy is ignored',
    'cluster/policies/when-stale.spec.ts: the policy of the route decides, and never accepts a token that is',
    edit(DECIDER, 'return this.policies.upTo(policy);', 'return NEVER;'),
  ),
  row(
    24,
    'an event is not kept long enough',
    'cluster/protocol/w3-retention.spec.ts: a token is refused after a purge and a restart while any instance',
    edit(
      'revocation/log/retention',
      'export const RETENTION_MARGIN = 2 * LARGEST_TOLERANCE;',
      'export const RETENTION_MARGIN = -2 * LARGEST_TOLERANCE;',
    ),
  ),
  row(
    26,
    'a refresh token does not change',
    `${REFRESH}: a refresh returns the next pair, and a token of the same session`,
    edit(
      'sessions/refresh.service',
      'const successor = this.lookup.issue();',
      'const successor = token;',
    ),
  ),
  row(
    27,
    'a reuse ends nothing',
    `${REFRESH}: RT-04, RT-05`,
    same('a reuse is refused and ends nothing'),
  ),
  row(28, 'the grace never ends', `${REFRESH}: RT-04, RT-05`, same('the grace never ends')),
  row(
    29,
    'a retry gets its own successor',
    `${REFRESH}: RT-06`,
    same('a retry gets its own successor'),
  ),
  row(
    30,
    'retries are not counted',
    `${REFRESH}: without a grace the second use ends the session`,
    edit(REUSE, 'if (presented.retries < options.refreshGraceRetries) {', 'if (true) {'),
  ),
  row(
    31,
    'all kinds of reuse are reported alike',
    `${REFRESH}: reuse reports tell an orphaned and a stale token apart`,
    edit(REUSE, "return steps === 2 ? 'orphaned' : 'stale';", "return 'stale';"),
  ),
  row(
    32,
    'no key identifies a retry',
    'cluster/sessions/lost-answers.spec.ts: a retry with the key gets the same successor days after the grace',
    edit(REUSE, 'return retryDigest !== null && retryDigest === presented;', 'return false;'),
  ),
  row(
    33,
    'a rotation does not check whether the token was used',
    `${REFRESH}: RT-06`,
    same('a retry gets its own successor'),
  ),
  row(34, 'the absolute expiry moves', `${REFRESH}: RT-09`, [
    {
      file: ROTATE,
      find: "if (now >= session.expiresAt)\n        return { kind: 'expired' };",
      replace: '',
    },
    {
      file: ROTATE,
      find: 'Math.min(now + life, session.expiresAt)',
      replace: 'now + life',
    },
  ]),
  row(
    35,
    'no session expires by idling',
    `${REFRESH}: RT-09`,
    edit(
      ROTATE,
      "if (now >= refresh.expiresAt)\n        return { kind: 'expired' };\n    const",
      'const',
    ),
  ),
  row(
    36,
    'the successor is stored in plain text',
    `${REFRESH}: RT-02, RT-07`,
    same('the successor is stored in plain text'),
  ),
  row(
    38,
    'the key that a token is bound to is not checked',
    'e2e/dpop.spec.ts: a bound token that is sent as Bearer is refused',
    edit('binding/token-binding', 'if (jkt === undefined) {', 'if (true) {'),
  ),
  row(
    39,
    'no session is the current one',
    'e2e/http-contract.spec.ts: the list of sessions',
    edit('http/sessions.routes', 'current: id === currentId,', 'current: false,'),
  ),
  row(
    40,
    'lastSeenAt is the time of the login',
    'cluster/sessions/last-seen.spec.ts: the list of sessions shows the login, and later when, from where and by',
    edit(ROTATE, 'lastSeenAt: now,', 'lastSeenAt: session.lastSeenAt,'),
  ),
  row(
    41,
    'one session more than the limit stays',
    'cluster/sessions/accounts.spec.ts: an account keeps the newest sessions up to its limit',
    edit(
      'sessions/start-session',
      "'DESC', this.limit - 1, MOST_ENDED)",
      "'DESC', this.limit, MOST_ENDED)",
    ),
  ),
  row(
    42,
    'the list of sessions requires no recent login',
    'e2e/http-step-up.spec.ts: with the option, listing sessions and ending another one need a',
    edit('auth.module', 'RecentLogin(recentLogin / 1000)(sessions);', ';'),
  ),
  row(
    45,
    'a locked account may log in',
    'cluster/sessions/accounts.spec.ts: RV-04',
    same('a locked account may log in'),
  ),
  row(
    49,
    'revoked keys are not looked up',
    'cluster/sessions/leaked-key.spec.ts: a leaked key is removed without a restart: no user has to log in again',
    edit(INDEX, 'const hit = this.findKey(iss, kid);', 'const hit = undefined;'),
  ),
  row(
    50,
    'a cookie is cleared on another path',
    'e2e/http-cookies.spec.ts: the cookies are cleared with the attributes',
    edit(
      'http/auth-cookies.service',
      "this.line(refreshName, '', 0, refreshPath),",
      "this.line(refreshName, '', 0, '/elsewhere'),",
    ),
  ),
  row(
    51,
    'former cookies are left',
    'e2e/http-options.spec.ts: cookies: every attribute is as configured, and old cookies are cleared',
    edit('http/auth-cookies.service', 'return former.map(', 'return [].map('),
  ),
  row(
    52,
    'requests from another site’s page are accepted',
    'e2e/http-csrf.spec.ts: requests from another site’s page',
    same('a page of another site can log out'),
  ),
  row(
    53,
    'logout answers to any method',
    'e2e/http-contract.spec.ts: GET logs no one out',
    edit(
      'http/logout.routes',
      "Post('logout'),",
      "(of, name, { value }) => { Reflect.defineMetadata('path', 'logout', value); Reflect.defineMetadata('method', 5, value); },",
    ),
  ),
  row(
    54,
    'every instance purges at once',
    'cluster/feed/x2-purging-beside-others.spec.ts: only one instance purges at a time',
    edit('revocation/log/revocation-purge.service', 'if (!isTaken)', 'if (false)'),
  ),
  row(
    55,
    'instances do not follow the log',
    'cluster/promises/p1-p2-p5-two-processes.spec.ts: P2 bounded',
    NOT_FOLLOWED,
  ),
  row(
    58,
    'the metrics show no lease',
    'e2e/prometheus.spec.ts: the metrics show the state of an instance',
    edit('prometheus/gauges', '(options.maxStaleness * LEASE_SHARE) / 1000', '0'),
  ),
  row(
    60,
    'a test’s token has no login',
    'e2e/testing-helpers.spec.ts: issueTestToken returns a token that the guard accepts and a logout revokes',
    edit('testing/issue-test-token', 'return login.accessToken;', 'return login.sessionId;'),
  ),
  row(
    61,
    'a socket is checked only once',
    'transports/open-sockets.spec.ts: is refused at its next message',
    edit(
      'authentication/jwt-auth.guard',
      'const request = guard.getRequest(context);',
      "const request = guard.getRequest(context); if (context.getType() === 'ws') { const [client] = context.getArgs(); if (client.judged) return true; client.judged = true; }",
    ),
  ),
];
