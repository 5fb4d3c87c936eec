import type { Mutation } from './mutation.js';

const CALLERS = 'revocation/log/caller-writes';
const STRICT = 'cluster/protocol/c5-strict';
const ENDS = 'revocation/log/repeated-ends';
const FOREIGN = 'e2e/revocation-guard';
const RECEIPTS = 'cluster/sessions/account-receipts';
const REPEATED = 'cluster/sessions/repeated-ends';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

/** What writing the log rests on (issue 9): callers' transactions, repeated ends, foreign issuers. */
export const WRITER_MUTATIONS: readonly Mutation[] = [
  one(
    'tokens that a caller’s open transaction concerns are decided by the lease',
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
    'a failure policy accepts what a caller’s transaction concerns',
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
    'an end that is kept too short counts as one',
    ENDS,
    'return until === null || (needed !== null && until >= needed);',
    'return true;',
    REPEATED,
  ),
  one(
    'an end that has expired counts as one',
    ENDS,
    '(event.until ?? 0) >= head.now &&',
    '',
    REPEATED,
  ),
  one(
    'a row that ended just now is enough, without an event',
    ENDS,
    'endedAt < earliest - life - RETENTION_MARGIN',
    'endedAt < earliest',
    REPEATED,
  ),
  one(
    'an act on an account of nobody knows which issuer means our own',
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
    'an account is locked in a caller’s transaction without a word',
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
    'a lost subject is the client’s fault',
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
    'the text of another token is taken',
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
    'the text of another account is taken',
    'revocation/token-identity',
    "['iss', 'sub', 'iat', 'exp']",
    "['iss', 'iat', 'exp']",
    FOREIGN,
  ),
  one(
    'the text of another token that is as old is taken',
    'revocation/token-identity',
    'shared.every(',
    'true || shared.every(',
    FOREIGN,
  ),
  one(
    'claims of other names are not looked at',
    'revocation/token-identity',
    'valueOf(claims, names.jti)',
    'claims.jti',
    FOREIGN,
  ),
  one(
    'RevocationGuard leaves nothing for @CurrentToken()',
    'revocation/revocation.guard',
    'this.remember(context, this.revocation.identify(claims, token));',
    '',
    FOREIGN,
  ),
];
