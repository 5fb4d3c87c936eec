import type { Mutation } from './mutation.js';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name: `step-up: ${name}`, edits: [{ file, find, replace }], tests };
}

const CONFIRM = 'sessions/confirm.service';

/** What `auth_time`, `@RecentLogin()`, `confirm()` and lifetimes by client rest on (issue 12). */
export const STEP_UP_MUTATIONS: readonly Mutation[] = [
  one(
    'a refresh counts as a login',
    'sessions/access-token.signer',
    'auth_time: Math.floor((authTime ?? createdAt) / 1000)',
    'auth_time: iat',
    'cluster/sessions/step-up',
  ),
  one(
    'a session of an older release counts from the year 1970',
    'sessions/access-token.signer',
    '(authTime ?? createdAt)',
    '(authTime ?? 0)',
    'cluster/sessions/step-up',
  ),
  one(
    'a confirmation is not stored',
    CONFIRM,
    'yield* writeEach([statements.confirm(key, { authTime, kid, network })]);',
    '',
    'cluster/sessions/step-up',
  ),
  one(
    'an earlier confirmation that is stored later counts',
    CONFIRM,
    'Math.max(session.authTime ?? session.createdAt, since.now)',
    'since.now',
    'cluster/sessions/step-up',
  ),
  one(
    'the password of another account confirms',
    CONFIRM,
    '=== sub;',
    "!== '';",
    'cluster/sessions/step-up',
  ),
  one(
    'the position is read after the password was compared',
    CONFIRM,
    'const since = await this.positions.read();\n        const who = await authenticate();',
    'const who = await authenticate();\n        const since = await this.positions.read();',
    'cluster/sessions/step-up',
  ),
  one(
    'an ended session is confirmed',
    CONFIRM,
    'if (reason !== undefined)\n        return',
    'if (false)\n        return',
    'cluster/sessions/step-up',
  ),
  one(
    'a lock is not looked at',
    CONFIRM,
    'if (refused !== undefined)\n        return',
    'if (false)\n        return',
    'cluster/sessions/step-up',
  ),
  one(
    'an idle session is confirmed',
    CONFIRM,
    'if (session.idleUntil <= judgement.now)',
    'if (false)',
    'cluster/sessions/step-up',
  ),
  one(
    'a change of the account meanwhile is ignored',
    CONFIRM,
    'if (newestCutoff(judgement) > since.position)',
    'if (false)',
    'cluster/sessions/step-up',
  ),
  one(
    'the session of another account is confirmed',
    CONFIRM,
    "session?.subjectKey === this.keys.hex('subject', issuer, sub) ? session : undefined",
    'session',
    'cluster/sessions/step-up',
  ),
  one(
    'the guard does not ask for the age of the login',
    'authentication/jwt.strategy',
    'if (recentLogin !== undefined)',
    'if (false)',
    'e2e/http-step-up',
  ),
  one(
    'RevocationGuard does not ask for the age of the login',
    'revocation/revocation.guard',
    'if (recentLogin !== undefined)',
    'if (false)',
    'e2e/revocation-guard',
  ),
  one(
    'a token that does not say when its user logged in is recent',
    'revocation/recent-login',
    "typeof time === 'number' && now",
    "typeof time !== 'number' || now",
    'unit/revocation/recent-login',
  ),
  one(
    'a public class opens a handler that asks for a recent login',
    'authentication/jwt-auth.guard',
    '[OptionalAuth, AllowExpired, RecentLogin, Freshness, WhenStale]',
    '[OptionalAuth, AllowExpired, Freshness, WhenStale]',
    'e2e/http-step-up',
  ),
  one(
    'a handler may be public and ask for a recent login',
    'authentication/jwt-auth.guard',
    'this.refuseOpenDoor(target);',
    '',
    'e2e/http-step-up',
  ),
  one(
    'logout-others needs no recent login',
    'http/logout.routes',
    'assertRecentLogin(token, recentLogin, this.revocation.now());',
    '',
    'e2e/http-step-up',
  ),
  one(
    'guesses at a confirmation are not limited',
    'http/confirm.routes',
    'guessOf(request, this.verifier, this.options.limit)',
    'guessOf(request, this.verifier, undefined)',
    'e2e/http-step-up',
  ),
  one(
    'a refresh forgets the idle time of the login',
    'sessions/rotate',
    'session.idleTtl ?? ',
    '',
    'cluster/sessions/lifetimes',
  ),
  one(
    'a refresh forgets the access tokens of the login',
    'sessions/session-store.service',
    'Math.min(accessTtl ?? accessTokenTtl, accessTokenTtl)',
    'accessTokenTtl',
    'cluster/sessions/lifetimes',
  ),
  one(
    'an access token outlives what the instance accepts',
    'sessions/session-store.service',
    'Math.min(accessTtl ?? accessTokenTtl, accessTokenTtl)',
    'accessTtl ?? accessTokenTtl',
    'cluster/sessions/lifetimes',
  ),
  one(
    'a name in a request makes a login longer',
    'http/login.routes',
    '...this.most,',
    '',
    'cluster/sessions/lifetimes',
  ),
  one(
    'a client that is not listed is as long as the options say',
    'options/client-lifetimes',
    'new Map([[ANY_CLIENT, shortest], ...listed])',
    'new Map([[ANY_CLIENT, usual], ...listed])',
    'cluster/sessions/lifetimes',
  ),
];
