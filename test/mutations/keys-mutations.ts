import type { Mutation } from './mutation.js';

const RING_JWT = 'authentication/ring-jwt.service';
const JWT_SERVICE = 'security/jwt-service.spec';
const JWT_WIRING = 'security/jwt-service-wiring';
const STRATEGY = 'authentication/jwt.strategy';
const CHAINS = 'security/strategy-chains';
const MISSING_KID = 'security/missing-kid';
const ENTRY_POINTS = 'security/entry-points';
const UNTRUSTED = 'security/untrusted-text';
const KEY_FITS = 'options/key-fits-algorithm';
const WEAK_KEYS = 'unit/options/weak-keys';

function one(name: string, file: string, find: string, replace: string, tests: string): Mutation {
  return { name, edits: [{ file, find, replace }], tests };
}

/** What the exported JwtService, the keys and the entry points rest on (issue 9). */
export const KEYS_MUTATIONS: readonly Mutation[] = [
  one(
    'JwtService ignores a secret that the call brings to sign',
    RING_JWT,
    'return Boolean(options?.secret || options?.privateKey);',
    'return false;',
    JWT_SERVICE,
  ),
  one(
    'JwtService ignores a secret that the call brings to verify',
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
    'return this.revocation.decide(NO_CLAIMS, { kid });',
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
        find: 'JwtAuthGuardOptions, RoutePolicyReader, core]',
        replace: 'JwtAuthGuardOptions, RoutePolicyReader, core, globalThis.jwtServiceModule]',
      },
    ],
    tests: JWT_WIRING,
  },
  one(
    'a second global JwtService is not noticed',
    'authentication/jwt-service.module',
    'if (!givesJwtService(module))',
    'if (true)',
    JWT_WIRING,
  ),
  one(
    'a token that is not ours ends the chain of strategies',
    STRATEGY,
    'this.challenge = this.fail;',
    'this.challenge = (refusal) => this.error(refusal);',
    CHAINS,
  ),
  one(
    'a revoked token reaches the next strategy',
    STRATEGY,
    'this.fail = refuse;',
    'this.fail = refuse; this.error = refuse;',
    CHAINS,
  ),
  one(
    'JwtAuthGuard drops the challenge',
    'authentication/jwt-auth.guard',
    'refusal !== undefined && isBareUnauthorized(thrown) ? refusal : thrown',
    'thrown',
    CHAINS,
  ),
  one(
    'a token without a kid survives the revocation of its key',
    'revocation/revocation-decider.service',
    'return this.options.acceptWithoutKid.includes(iss) ? undefined : NO_KID;',
    'return undefined;',
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
    'return this.options.acceptWithoutKid.includes(iss) ? undefined : NO_KID;',
    'return NO_KID;',
    MISSING_KID,
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
    'what ends access tokens only is not asked about',
    'revocation/index/revocation-index',
    'const access = byGen && !loginOnly && this.accessSubjects.size > 0;',
    'const access = false;',
    ENTRY_POINTS,
  ),
  one(
    'what ends access tokens only ends the refresh token too',
    'revocation/index/revocation-index',
    'const access = byGen && !loginOnly && this.accessSubjects.size > 0;',
    'const access = byGen && this.accessSubjects.size > 0;',
    ENTRY_POINTS,
  ),
  one(
    'nbf is not looked at',
    'authentication/claims-policy',
    'if (nbf !== undefined && ',
    'if (false && ',
    ENTRY_POINTS,
  ),
  one(
    'untrusted text goes into the log as it is',
    'context/log-text',
    'return cut.replace(UNSAFE,',
    'return cut.replace(/$^/g,',
    UNTRUSTED,
  ),
  one(
    'claims that are not exact are signed',
    'sessions/signable-claims',
    'if (inexact === undefined)',
    'if (true)',
    UNTRUSTED,
  ),
  one(
    'claims that are not exact are accepted',
    'authentication/strict-json',
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
