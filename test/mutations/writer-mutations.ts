import type { Mutation } from './mutation.js';

const CALLERS = 'revocation/writing/caller-writes';
const STRICT = 'cluster/protocol/c5-strict';

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
    'while (isProven && this.callers.isOverFor(claims, this.feed.moment()));',
    'while (false);',
    STRICT,
  ),
  one(
    'a failure policy accepts what a caller’s transaction concerns',
    'revocation/revocation-decider.service',
    `return this.decideStrictly(claims, kidKey, NEVER);
        }
        if (freshness`,
    `return this.decideStrictly(claims, kidKey, upTo);
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
    'revocation/revocation-log.service',
    'assertConcernsFew(drafts);',
    '',
    STRICT,
  ),
];
