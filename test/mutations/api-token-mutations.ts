import type { Mutation } from './mutation.js';

const LOOKUP = 'api-tokens/opaque-token-lookup.service';
const SERVICE = 'api-tokens/api-token.service';
const PROMISES = 'cluster/api-tokens/promises';
const TEXTS = 'cluster/api-tokens/lookup';

function one(
  name: string,
  file: string,
  find: string,
  replace: string,
  title: string,
  tests = PROMISES,
): Mutation {
  return { name, edits: [{ file, find, replace }], tests, title };
}

/** What opaque tokens rest on (rules O1 to O4). */
export const API_TOKEN_MUTATIONS: readonly Mutation[] = [
  one(
    'an opaque token is remembered for ever',
    LOOKUP,
    'this.proofs.since(sent) < this.rememberFor',
    'true',
    'a row is read again before the log may forget',
  ),
  one(
    'an opaque token is never remembered',
    LOOKUP,
    'this.memory.add(token);',
    '',
    'the first request reads one row',
  ),
  one(
    'the row of an opaque token is read without the cut-off of its account',
    'api-tokens/api-token-end',
    'if (ofAccount !== undefined)',
    'if (false)',
    'a row is read again before the log may forget',
  ),
  one(
    'the row of an opaque token does not say that it has ended',
    'api-tokens/api-token-end',
    'endedAt === null ? undefined',
    'true ? undefined',
    'what the database lost',
  ),
  one(
    'what an instance knows is not noted in the row of an opaque token',
    LOOKUP,
    'if (hit === undefined)',
    'if (true)',
    'what the database lost',
  ),
  one(
    'a cut-off is purged before it has ended the rows of API tokens',
    'api-tokens/api-token-sweep',
    'findMarked(since, RANGE)',
    'findMarked(Number.MAX_SAFE_INTEGER, RANGE)',
    'when its event and the cut-off were purged',
  ),
  one(
    'the end of an API token is forgotten like that of an access token',
    SERVICE,
    'expiresAt: expiresAt / 1000,',
    'expiresAt: undefined,',
    'revoke() is refused here at once',
  ),
  one(
    'an API token takes a position later than its authority',
    SERVICE,
    'given.since ??',
    'undefined ??',
    'an account that was logged out since the position was read',
  ),
  one(
    'an API token of another account can be revoked',
    SERVICE,
    'row.subject !== owner',
    'false',
    'a token is ended by its owner only',
    TEXTS,
  ),
  one(
    'changed claims end API tokens for a while',
    'revocation/revocation-decider.service',
    'kid === NO_KEY && sid === undefined',
    'false',
    'changed claims end none',
  ),
  one(
    'an opaque token is judged as one of an unknown key',
    LOOKUP,
    'Object.freeze({ kid: NO_KEY })',
    'Object.freeze({ kid: undefined })',
    'a revoked signing key ends none',
  ),
  one(
    'the checksum of an opaque token is not compared',
    'api-tokens/api-token',
    'text.endsWith(checksumOf(text.slice(0, -CHECKSUM)))',
    'true',
    'altered in its checksum',
    TEXTS,
  ),
  one(
    'unknown opaque tokens wait where those of the application wait',
    LOOKUP,
    'isOwn ? this.own : this.strangers',
    'this.own',
    'a flood of unknown texts',
    TEXTS,
  ),
  one(
    'an open connection with an API token is refused for its lifetime',
    'live/live-tokens.service',
    'watch.group.kid === NO_KEY',
    'false',
    'an open connection with it ends when it is revoked',
    'e2e/access-token-guard',
  ),
  one(
    'an API token may end its owner’s sessions',
    'authentication/login.guard',
    'if (isApiToken)',
    'if (false)',
    'the routes of the library take them',
    'e2e/opaque-logins',
  ),
  one(
    'logins give JWTs where opaque tokens were asked for',
    'sessions/access-token.signer',
    'this.opaque?.issue(',
    'undefined?.issue(',
    'login and refresh give opaque access tokens',
    'e2e/opaque-logins',
  ),
  one(
    'the row of an opaque access token stays for as long as that of an API token',
    'api-tokens/api-token-sweep',
    "'endedAt', 'expiresAt', 'ofSession'",
    "'endedAt', 'expiresAt'",
    'one expires, is refreshed, and its row goes',
    'e2e/opaque-logins',
  ),
  one(
    'a process that was paused trusts the row of an opaque token',
    LOOKUP,
    'if (!this.isExact(token))',
    'if (false)',
    'a process that was paused',
  ),
  one(
    'a server that is behind says which opaque tokens there are',
    LOOKUP,
    'logId !== id || history.whyLost(head, seen) !== undefined',
    'false',
    'a server that is behind what was seen',
  ),
  one(
    'a position of any age is good for an API token',
    SERVICE,
    'assertCurrent(since, this.positions.databaseNow());',
    '',
    'a position is as good for a token as for a login',
  ),
  one(
    'an empty kid in a header passes as an opaque token',
    'revocation/token-identity',
    " && header.kid !== ''",
    '',
    'an empty kid',
    'security/missing-kid',
  ),
  one(
    'an open connection of an opaque token outlives the events of the log',
    'live/live-times',
    '< exactFor(this.options)',
    '< Infinity',
    'ends what an opaque token opened after a pause',
    'unit/live/live-tokens',
  ),
  one(
    'the command forgets the end of an API token like that of an access token',
    'cli/end-sessions',
    'mayLiveLong ? LONGEST_API_TOKEN : 0',
    '0',
    'API token',
    'cluster/cli/revoke',
  ),
];
