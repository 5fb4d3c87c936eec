import type { Mutation } from './mutation.js';

const CALLERS = 'revocation/log/caller-writes';
const STRICT = 'cluster/protocol/c5-strict';
const ENDS = 'revocation/log/repeated-ends';
const FOREIGN = 'e2e/revocation-guard';
const RECEIPTS = 'cluster/sessions/account-receipts';
const REPEATED = 'cluster/sessions/repeated-ends';
const STATEMENT = 'database/append-at-once.statement';
const ONE = 'cluster/protocol/w1-one-statement';
const SUPPRESSED = 'cluster/protocol/w1-suppressed-rows';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

/** What writing the log rests on (issue 9): callers' transactions, repeated ends, foreign issuers. */
export const WRITER_MUTATIONS: readonly Mutation[] = [
  one(
    'one statement that leaves a session running names another cause',
    STATEMENT,
    "WHEN ${form.isAll} THEN '${NOT_ENDED}' ",
    '',
    SUPPRESSED,
  ),
  one(
    'several statements that leave a session running name another cause',
    ENDS,
    'throw new Error(NOT_ENDED)',
    "throw new Error('It goes on.')",
    SUPPRESSED,
  ),
  one(
    'one statement numbers from the head of its snapshot',
    STATEMENT,
    'ORDER BY e.event_key LIMIT 1) IS NULL FOR UPDATE), ',
    'ORDER BY e.event_key LIMIT 1) IS NULL), ',
    ONE,
  ),
  one(
    'one statement does not notice that a session ended while it waited',
    STATEMENT,
    'AND NOT EXISTS (SELECT FROM locked WHERE ended_at IS NOT NULL) ',
    '',
    ONE,
  ),
  one(
    'one statement does not look for an earlier end',
    STATEMENT,
    'FROM ${event} e WHERE e.event_key ${form.among}',
    'FROM ${event} e WHERE FALSE AND e.event_key ${form.among}',
    ONE,
  ),
  one(
    'one statement scans the log for earlier ends',
    STATEMENT,
    'ORDER BY e.event_key LIMIT 1) IS NULL',
    'LIMIT 1) IS NULL',
    ONE,
  ),
  one(
    'one statement leaves the session as it was',
    STATEMENT,
    'AND s.session_key ${form.among} AND EXISTS (SELECT FROM raised)',
    'AND FALSE AND s.session_key ${form.among} AND EXISTS (SELECT FROM raised)',
    ONE,
  ),
  one(
    'one statement keeps an event for its writer’s token lifetime only',
    STATEMENT,
    'GREATEST(d.life, head.life)',
    'COALESCE(d.life, 0)',
    ONE,
  ),
  one(
    'one statement assigns positions on another server',
    STATEMENT,
    'AND COALESCE(h.server = ${server}, TRUE)',
    '',
    'cluster/protocol/h2-no-position-twice',
  ),
  one(
    'one statement assigns positions below known ones',
    STATEMENT,
    'AND h.position >= $8::bigint',
    'AND $8::bigint IS NOT NULL',
    ONE,
  ),
  one(
    'one statement adds events to a head that a trigger kept as it was',
    STATEMENT,
    'WHERE EXISTS (SELECT FROM raised) RETURNING 1)',
    'RETURNING 1)',
    SUPPRESSED,
  ),
  one(
    'one statement does not count the events that it added',
    STATEMENT,
    'head.time IS NULL OR (${form.isAll} AND ',
    'head.time IS NULL OR (',
    SUPPRESSED,
  ),
  one(
    'a missing cut-off of an account is not noticed',
    'revocation/log/log.transactions',
    'if (affected !== 1)',
    'if (false)',
    SUPPRESSED,
  ),
  one(
    'several statements do not count the events that they added',
    'revocation/log/log.transactions',
    'if (affected !== changes)',
    'if (false)',
    SUPPRESSED,
  ),
  one(
    'one statement runs under any isolation',
    'database/postgres.dialect',
    "`current_setting('transaction_isolation') = 'read committed' `",
    '`TRUE `',
    ONE,
  ),
  one(
    'one statement may be lost on a crash',
    'database/postgres.dialect',
    "`AND current_setting('synchronous_commit') NOT IN ('off', 'local') `",
    '``',
    ONE,
  ),
  one(
    'one statement depends on its prepared plan',
    'database/postgres.dialect',
    "new Set(['26000', '42P05'])",
    'new Set()',
    ONE,
  ),
  one(
    'a lost answer to one statement counts as a failure',
    'database/server-log-database',
    "isSent && !one.isUndone(error) ? 'unknown' : 'rolled back'",
    "'rolled back'",
    'cluster/protocol/w4-lost-commit',
  ),
  one(
    'a look counts as proof that one statement was never written',
    'revocation/log/log.transactions',
    ' && draft.mayStillCome !== true',
    '',
    ONE,
  ),
  one(
    'tokens that a caller’s open transaction affects are decided by the lease',
    'revocation/revocation-decider.service',
    'if (this.callers.size > 0 && this.callers.concerns(claims))',
    'if (false)',
    STRICT,
  ),
  one(
    'a proof that is older than the caller’s commit decides',
    'revocation/revocation-decider.service',
    'if (!this.callers.isOverFor(claims, this.proofs.moment()))',
    '',
    STRICT,
  ),
  one(
    'a failure policy accepts tokens that a caller’s transaction affects',
    'revocation/revocation-decider.service',
    `return this.decideStrictly(claims, kid, NEVER);
        }
        if (freshness`,
    `return this.decideStrictly(claims, kid, upTo);
        }
        if (freshness`,
    STRICT,
  ),
  one(
    'an event of a caller is forgotten with the first proof after its write',
    CALLERS,
    'if (isRolledBack ||',
    'if (true ||',
    STRICT,
  ),
  one('a rolled back event stays strict', CALLERS, 'if (isRolledBack ||', 'if (', STRICT),
  one(
    'a broken connection counts as the end of its transaction',
    CALLERS,
    'if (write.isInserted && !write.transaction.isTransactionActive)',
    'if (write.isInserted && (!write.transaction.isTransactionActive || write.transaction.isReleased))',
    STRICT,
  ),
  one(
    'an issuer event may be part of a caller’s transaction',
    CALLERS,
    'assertFitForTransaction(drafts);',
    '',
    STRICT,
  ),
  one(
    'a repeated end writes an event each time',
    'revocation/log/log.transactions',
    'missing.filter((draft) => repetitions?.has(draft) !== true)',
    'missing',
    REPEATED,
  ),
  one(
    'a repeated end in one batch writes an event each time',
    ENDS,
    'else if (covers(keepUntil(earlier, head, head.now), draft, head))',
    'else if (false)',
    REPEATED,
  ),
  one(
    'an event that is not kept long enough makes a logout a repetition',
    ENDS,
    'return until === null || (needed !== null && until >= needed);',
    'return true;',
    REPEATED,
  ),
  one(
    'an expired event makes a logout a repetition',
    ENDS,
    '(event.until ?? 0) >= head.now &&',
    '',
    REPEATED,
  ),
  one(
    'a session that ended just now makes a logout a repetition, without an event',
    ENDS,
    'endedAt < earliest - life - RETENTION_MARGIN',
    'endedAt < earliest',
    REPEATED,
  ),
  one(
    'an act on an account of an unknown issuer is applied to our own',
    'logout/act-issuer.service',
    'if (foreign.length === 0 || (await find()).length > 0)',
    'if (true)',
    RECEIPTS,
  ),
  one(
    'a foreign account is locked as if it were ours',
    'logout/act-issuer.service',
    'if (given !== undefined && given !== issuer)',
    'if (false)',
    RECEIPTS,
  ),
  one(
    'an account is locked in a caller’s transaction silently',
    'accounts/account.service',
    'if (options.manager === undefined)',
    'if (true)',
    RECEIPTS,
  ),
  one(
    'the logins of an account that a caller’s transaction removed are kept',
    'accounts/account.service',
    'this.eraser.eraseAfter(runner, id, key);',
    '',
    RECEIPTS,
  ),
  one(
    'a missing subject is reported as the client’s error',
    'platform/identifier',
    "if (!['string', 'number', 'bigint'].includes(typeof subject))",
    'if (false)',
    RECEIPTS,
  ),
  one(
    'a foreign token without ids is accepted without its text',
    'revocation/token-identity',
    'if (jti === undefined && sid === undefined)',
    'if (false)',
    FOREIGN,
  ),
  one(
    'tokens without ids share one digest',
    'revocation/token-identity',
    "hash('sha256', canonical, 'hex')",
    "hash('sha256', '', 'hex')",
    FOREIGN,
  ),
  one(
    'a digest is that of the token’s bytes',
    'revocation/token-identity',
    "hash('sha256', canonical, 'hex')",
    "hash('sha256', bytes, 'hex')",
    FOREIGN,
  ),
  one(
    'the text of another token is accepted',
    'revocation/token-identity',
    'signature !== undefined && isOf(claims, signed)',
    'signature !== undefined',
    FOREIGN,
  ),
  one(
    'a token of our own issuer without ids is accepted without its text, also after its logout',
    'revocation/token-identity',
    'if (jti === undefined && sid === undefined)',
    'if (iss !== options.issuer && jti === undefined && sid === undefined)',
    FOREIGN,
  ),
  one(
    'the text of a token of another account is accepted',
    'revocation/token-identity',
    "['iss', 'sub', 'iat', 'exp']",
    "['iss', 'iat', 'exp']",
    FOREIGN,
  ),
  one(
    'the text of another token of the same age is accepted',
    'revocation/token-identity',
    'shared.every(',
    'true || shared.every(',
    FOREIGN,
  ),
  one(
    'claims with other names are not checked',
    'revocation/token-identity',
    'valueOf(claims, names.jti)',
    'claims.jti',
    FOREIGN,
  ),
  one(
    'RevocationGuard sets nothing for @CurrentToken()',
    'revocation/revocation.guard',
    'rememberClaims(request, known, kidOfRequest(request));',
    '',
    FOREIGN,
  ),
  one(
    'a logout does not notice that a trigger removed the row of a session (one statement)',
    STATEMENT,
    "'(SELECT COUNT(*) FROM ended) = (SELECT COUNT(*) FROM locked)'",
    "'TRUE'",
    SUPPRESSED,
  ),
  one(
    'a logout does not notice that a trigger removed the row of a session (several)',
    ENDS,
    'if (time === null)',
    'if (time === null) continue; if (false)',
    SUPPRESSED,
  ),
];
