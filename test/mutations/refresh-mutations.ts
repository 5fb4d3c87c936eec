import type { Mutation } from './mutation.js';

const ROTATE = 'sessions/store/rotate';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

/** What refreshes rest on when they are flooded, retried late, or stolen (issue 9). */
export const REFRESH_MUTATIONS: readonly Mutation[] = [
  one(
    'S1: every text waits in one lane',
    'sessions/refresh-token-lookup.service',
    'hasCheckValueOf(token, this.checkKeys()) ? this.own : this.strangers',
    'this.strangers',
    'cluster/sessions/strangers',
  ),
  one(
    'S1: the queue of strangers has no bound',
    'sessions/lookup-lane',
    'if (this.waiting.size >= this.limits.queue)',
    'if (false)',
    'unit/sessions/lookup-lane|cluster/sessions/strangers',
  ),
  one(
    'S1: each text is looked up by a statement of its own',
    'sessions/lookup-lane',
    '.slice(0, this.limits.batch)',
    '.slice(0, 1)',
    'unit/sessions/lookup-lane|cluster/sessions/strangers',
  ),
  one(
    'S1: a token without a right check value is refused',
    'sessions/refresh-token-lookup.service',
    'const lane = ',
    'if (!hasCheckValueOf(token, this.checkKeys())) return Promise.resolve(undefined); const lane = ',
    'cluster/sessions/strangers',
  ),
  one(
    'S1: the check value of a key that leaked is right',
    'authentication/key-ring.service',
    'if (key.secretHalf === null || this.revocation.isKeyRevoked(key.kid))',
    'if (key.secretHalf === null)',
    'cluster/sessions/strangers',
  ),
  one(
    'S1: a key that signs no more makes its tokens strangers',
    'authentication/key-ring.service',
    '(key.sign !== null && until === null ? signing : others).push(key.secretHalf);',
    'if (key.sign !== null && until === null) signing.push(key.secretHalf);',
    'cluster/sessions/strangers',
  ),
  one(
    'A28: any key proves that a retry is a retry',
    ROTATE,
    'return retryDigest !== null && retryDigest === presented;',
    'return retryDigest !== null && presented !== undefined;',
    'cluster/sessions/lost-answers',
  ),
  one(
    'A28: no key proves anything',
    ROTATE,
    'return retryDigest !== null && retryDigest === presented;',
    'return false;',
    'cluster/faults/phones',
  ),
  one(
    'A28: a thief who was given the successor, and used it, stays in',
    ROTATE,
    'presented.retries === 0 && next.retryDigest !== null',
    'true',
    'cluster/sessions/lost-answers',
  ),
  one(
    'A28: an old request that is delivered again ends the session',
    ROTATE,
    ': isReplay(presented, next, retryDigest);',
    ': false;',
    'cluster/sessions/lost-answers',
  ),
  one(
    'A28: the successor that is kept can be opened without the key',
    'sessions/refresh.service',
    'sealed: sealSuccessor(token, successor, idempotencyKey),',
    'sealed: sealSuccessor(token, successor),',
    'cluster/sessions/lost-answers',
  ),
  one(
    'A28: the successor goes with its grace',
    'sessions/store/session.statements',
    'SET sealed_successor = NULL, grace_until = NULL ${these}',
    'SET sealed_successor = NULL, grace_until = NULL, retry_sealed = NULL ${these}',
    'cluster/sessions/lost-answers',
  ),
  one(
    'A28: a malformed key is ignored',
    'sessions/idempotency-key',
    'throw new AuthException(',
    'return undefined; throw new AuthException(',
    'cluster/sessions/lost-answers|e2e/http-idempotency',
  ),
  one(
    'S7: used tokens are kept without a bound',
    ROTATE,
    'if (tooOld > 0)',
    'if (false)',
    'cluster/sessions/bounds',
  ),
  one(
    'S7: a used token of long ago ends the session',
    ROTATE,
    'if (newest - presented.number > MOST_USED)',
    'if (false)',
    'cluster/sessions/bounds',
  ),
  one(
    'S7: a session rotates as often as it likes',
    ROTATE,
    'if (wait > 0)',
    'if (false)',
    'cluster/sessions/bounds',
  ),
  one(
    'A16: null is taken for no claims',
    'sessions/claims-of',
    'if (answer === null)',
    'if (answer === null) return {}; if (false)',
    'cluster/sessions/nobody',
  ),
  one(
    'A16: undefined is taken for no claims',
    'sessions/claims-of',
    'if (answer === null)',
    'if (answer === undefined) return {}; if (answer === null)',
    'cluster/sessions/nobody',
  ),
  one(
    'A16: a refresh that finds no account leaves the session open',
    'sessions/refresh.service',
    "await this.log.append([{ kind: 'session', issuer: this.options.issuer, sid, reason }]);",
    '',
    'cluster/sessions/nobody',
  ),
  one(
    'S17: a logout does not use its token up',
    'logout/logout.service',
    'await this.refreshes.usedInLogout(token);',
    '',
    'cluster/sessions/reuse-after-end',
  ),
  one(
    'S17: a reuse after a logout of the account is not reported',
    ROTATE,
    'const isReused = yield* isReuse(of, presented, proof?.digest, now);',
    'const isReused = false;',
    'cluster/sessions/reuse-after-end',
  ),
  one(
    'S17: every token of an ended session is reported',
    ROTATE,
    '!isProven(presented, retryDigest) && !isInGrace(presented, now)',
    'true',
    'cluster/sessions/reuse-after-end',
  ),
  one(
    'S17: a logout over HTTP does not use its token up',
    'http/presented-sessions.service',
    'await this.refreshes.usedInLogout(token);',
    '',
    'e2e/http-refresh-tokens',
  ),
  one(
    'S1: a login fails when an old cookie cannot be looked up',
    'http/presented-sessions.service',
    'if (error instanceof AuthException)\n                return undefined;',
    '',
    'e2e/http-refresh-tokens',
  ),
];
