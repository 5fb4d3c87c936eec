import type { Mutation } from './mutation.js';

const RING_JWT = 'authentication/jwt.service';
const JWT_SERVICE = 'security/jwt-service.spec';
const JWT_WIRING = 'security/jwt-service-wiring';
const STRATEGY = 'authentication/jwt.strategy';
const CHAINS = 'security/strategy-chains';
const MISSING_KID = 'security/missing-kid';
const KEYS_OF_ISSUERS = 'cluster/protocol/keys-of-issuers';
const RAISE_FORMAT = 'cluster/cli/raise-format';
const ENTRY_POINTS = 'security/entry-points';
const UNTRUSTED = 'security/untrusted-text';
const KEY_FITS = 'options/key-material';
const WEAK_KEYS = 'unit/options/weak-keys';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

/** What the exported JwtService, the keys and the entry points rest on (issue 9). */
export const KEYS_MUTATIONS: readonly Mutation[] = [
  one(
    'JwtService ignores a secret that a call passes to sign',
    RING_JWT,
    'return Boolean(options?.secret || options?.privateKey);',
    'return false;',
    JWT_SERVICE,
  ),
  one(
    'JwtService ignores a secret that a call passes to verify',
    RING_JWT,
    'return Boolean(options?.secret || options?.publicKey);',
    'return false;',
    JWT_SERVICE,
  ),
  one(
    'JwtService ignores keyid when it chooses the key',
    RING_JWT,
    'this.ring.signingKey(options?.keyid)',
    'this.ring.signingKey()',
    JWT_SERVICE,
  ),
  one(
    'JwtService accepts tokens of a revoked key',
    RING_JWT,
    'return this.decider.decide(NO_CLAIMS, kid);',
    "return { state: 'active' };",
    JWT_SERVICE,
  ),
  one(
    'JwtService accepts access tokens',
    RING_JWT,
    'if (isAccessTokenType(typ))',
    'if (false)',
    JWT_SERVICE,
  ),
  {
    name: 'AuthModule exports JwtService itself',
    edits: [
      {
        file: 'auth.module',
        find: '[core, jwtServiceModule(core)]',
        replace: '[core, (globalThis.jwtServiceModule = jwtServiceModule(core))]',
      },
      {
        file: 'auth.module',
        find: 'REFUSAL_COUNTER,\n            core,',
        replace: 'REFUSAL_COUNTER, core, globalThis.jwtServiceModule,',
      },
    ],
    tests: JWT_WIRING,
  },
  one(
    'a second global JwtService is not noticed',
    RING_JWT,
    'if (exportedBy(module, JwtService) === undefined)',
    'if (true)',
    JWT_WIRING,
  ),
  one(
    'a token that is not ours ends the chain of strategies',
    STRATEGY,
    'toOutcome(error) : notOurs(error)',
    'toOutcome(error) : toOutcome(error)',
    CHAINS,
  ),
  one(
    'a revoked token reaches the next strategy',
    STRATEGY,
    'return toOutcome(error);',
    'return { error: null, user: false, info: error };',
    CHAINS,
  ),
  one(
    'JwtAuthGuard drops the challenge',
    'authentication/jwt-auth.guard',
    'coded !== undefined && isBareUnauthorized(thrown) ? coded : thrown',
    'thrown',
    CHAINS,
  ),
  one(
    'a token without a kid survives the revocation of its key',
    'revocation/revocation-decider.service',
    'return kid ?? (this.options.acceptWithoutKid.includes(iss) ? undefined : null);',
    'return kid;',
    MISSING_KID,
  ),
  one(
    'RevocationGuard passes no kid',
    'revocation/revocation.guard',
    'kid: this.getKid(context)',
    'kid: undefined',
    MISSING_KID,
  ),
  one(
    'acceptWithoutKid is ignored',
    'revocation/revocation-decider.service',
    'return kid ?? (this.options.acceptWithoutKid.includes(iss) ? undefined : null);',
    'return kid ?? null;',
    MISSING_KID,
  ),
  one(
    'a key event of before format 2 is not looked for',
    'revocation/index/revoked-keys',
    '(this.known.get(key) ?? this.known.get(everywhere))',
    'this.known.get(key)',
    KEYS_OF_ISSUERS,
  ),
  one(
    'a key event of an issuer is not looked for',
    'revocation/index/revoked-keys',
    '(this.known.get(key) ?? this.known.get(everywhere))',
    'this.known.get(everywhere)',
    KEYS_OF_ISSUERS,
  ),
  one(
    'a key of another issuer is taken for ours',
    'revocation/index/revoked-keys',
    "issuer === this.keys.ownIssuer || issuer === ''",
    'true',
    KEYS_OF_ISSUERS,
  ),
  one(
    'JwtService is not notified of our revoked key',
    'revocation/index/revoked-keys',
    " || issuer === ''",
    '',
    KEYS_OF_ISSUERS,
  ),
  one(
    'a revoked key of any issuer revokes tokens without a kid',
    'revocation/index/revoked-keys',
    "const isAny = this.issuers.has(null) || this.issuers.has(this.keys.hex('issuer', issuer, ''));",
    'const isAny = true;',
    KEYS_OF_ISSUERS,
  ),
  one(
    'no key event is written for older releases',
    'revocation/log/log.transactions',
    'head.format < belowFormat',
    'belowFormat === Infinity',
    KEYS_OF_ISSUERS,
  ),
  one(
    'the format does not narrow which tokens a revoked key affects',
    'revocation/log/log.transactions',
    ' && head.format < belowFormat',
    '',
    KEYS_OF_ISSUERS,
  ),
  one(
    'a pending event of an unknown kind is given a position',
    'revocation/log/pending-mover',
    "isKnownKind(row['kind'] ?? '')",
    'true',
    'cluster/feed/h5',
  ),
  one(
    'the format is raised beside instances of an older release',
    'cli/maintenance.commands',
    'isRunning(instance) && instance.format < to',
    'false',
    RAISE_FORMAT,
  ),
  one(
    'the instances are not checked under the head lock',
    'cli/maintenance.commands',
    'refuseOlder(instances, to);',
    '',
    RAISE_FORMAT,
  ),
  one(
    'a token is explained by events that do not revoke it',
    'revocation/log/token-endings',
    'index.find(identity, kid) !== undefined',
    'true',
    'cluster/cli/explain',
  ),
  one(
    'the command does not find the events of a revoked key',
    'revocation/log/token-endings',
    'if (kid !== null)',
    'if (false)',
    'cluster/cli/explain',
  ),
  one(
    'an expired token is explained as valid',
    'authentication/token.service',
    'this.verifier.accept(await this.read(text, DEFAULT_DEMAND), DEFAULT_DEMAND)',
    'this.verifier.accept(await this.read(text, any), any)',
    'cluster/cli/explain',
  ),
  one(
    'the format is lowered',
    'cli/maintenance.commands',
    'if (format > to)',
    'if (false)',
    RAISE_FORMAT,
  ),
  one(
    'revokeKey takes an unknown kid for ours',
    'authentication/key-ring',
    'return this.entries.has(kid) || this.legacy?.key.kid === kid;',
    'return true;',
    'cluster/sessions/account-receipts',
  ),
  one(
    'an RSA key with the exponent 1 is accepted',
    KEY_FITS,
    'if (weakness !== undefined)',
    'if (false)',
    WEAK_KEYS,
  ),
  one(
    'an RSA key with an even modulus is accepted',
    KEY_FITS,
    "return last % 2 === 1 ? undefined : 'whose modulus is odd';",
    'return undefined;',
    WEAK_KEYS,
  ),
  one(
    'assertActive ignores checkTimes',
    'revocation/revocation.service',
    'if (options?.checkTimes === true)',
    'if (false)',
    ENTRY_POINTS,
  ),
  one(
    'an event for access tokens only is not looked up',
    'revocation/index/revocation-index',
    'const access = byGen && !loginOnly && this.accessSubjects.table.size > 0;',
    'const access = false;',
    ENTRY_POINTS,
  ),
  one(
    'an event for access tokens only revokes the refresh token too',
    'revocation/index/revocation-index',
    'const access = byGen && !loginOnly && this.accessSubjects.table.size > 0;',
    'const access = byGen && this.accessSubjects.table.size > 0;',
    ENTRY_POINTS,
  ),
  one(
    'nbf is not checked',
    'authentication/token-verifier',
    'if (nbf !== undefined && ',
    'if (false && ',
    ENTRY_POINTS,
  ),
  one(
    'untrusted text is logged unescaped',
    'platform/log-text',
    'return cut.replace(UNSAFE,',
    'return cut.replace(/$^/g,',
    UNTRUSTED,
  ),
  one(
    'claims that are not exact are signed',
    'sessions/access-token.signer',
    'if (inexact === undefined)',
    'if (true)',
    UNTRUSTED,
  ),
  one(
    'claims that are not exact are accepted',
    'authentication/jws',
    'if (inexact !== undefined)',
    'if (false)',
    UNTRUSTED,
  ),
  one(
    'subject hashes have no key',
    'events/auth-events.service',
    'if (key !== undefined)',
    'if (false)',
    'unit/events/subject-hash',
  ),
];
