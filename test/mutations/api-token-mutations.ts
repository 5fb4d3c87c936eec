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
];
