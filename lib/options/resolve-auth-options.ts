import { ApplicationCallReader, type RegisteredCalls } from './application-method.js';
import type { AuthKey } from './auth-key.js';
import { type AuthOptions, AuthSettings } from './auth-options.js';
import { readSubjectHashKey } from './key-material.js';
import { OptionProblems } from './option-problems.js';
import { type DurationLimits, readDuration, readExactName, readFields } from './option-readers.js';
import { readAuthKeys, readPlainSecret, resolveAuthKeys } from './resolve-auth-keys.js';
import { readForeignIssuers, readIssuersWithoutKid } from './foreign-issuers.js';
import { checkNameOfLegacy, readLegacy } from './legacy-options.js';
import {
  LARGEST_TOLERANCE,
  LEGACY_TOKEN_LIFE,
  type ResolvedAuthOptions,
  type ResolvedLegacy,
} from './resolved-auth-options.js';
import {
  readAcknowledgement,
  readClaimNames,
  readDataSource,
  readFollow,
  readHint,
  readMaxSessions,
  readMetadataKey,
  readMigrations,
  readNewLog,
  readObserve,
  readOverrideCeiling,
  readRetries,
  readSchema,
  readStrategyName,
  readTablePrefix,
  readWhenStale,
} from './setting-readers.js';
import { UNBOUNDED } from './stale-policy.js';

// Complete by its type: an option that is added and not listed does not compile.
const OPTION_NAMES = Object.keys({
  secret: true,
  keys: true,
  issuer: true,
  audience: true,
  accessTokenTtl: true,
  sessionTtl: true,
  sessionIdleTtl: true,
  refreshTokenTtl: true,
  refreshGrace: true,
  refreshGraceRetries: true,
  historyFor: true,
  maxSessions: true,
  claims: true,
  hint: true,
  clockTolerance: true,
  maxStaleness: true,
  staleWait: true,
  whenStale: true,
  openAcknowledgedBy: true,
  observe: true,
  overrideCeiling: true,
  follow: true,
  foreign: true,
  acceptWithoutKid: true,
  subjectHashKey: true,
  legacy: true,
  allowedClaims: true,
  dataSource: true,
  migrations: true,
  schema: true,
  tablePrefix: true,
  newLog: true,
  bootTimeout: true,
  strategyName: true,
  publicMetadataKey: true,
  validate: true,
} satisfies Record<keyof AuthOptions, true>) as (keyof AuthOptions)[];

const AT_REGISTRATION =
  'It belongs beside useFactory (or useClass), or into forRoot(): it is settled when the module is registered, before a factory runs.';

/** What people bring along from @nestjs/jwt, @nestjs/passport and passport-jwt, and where it went. */
const FAMILIAR: ReadonlyMap<string, string> = new Map([
  ['isGlobal', AT_REGISTRATION],
  ['http', AT_REGISTRATION],
  ['exportJwtService', AT_REGISTRATION],
  ['global', `Call it isGlobal. ${AT_REGISTRATION}`],
  ['secretOrKey', 'Use secret, or keys: [{ kid, alg, publicKey }].'],
  ['jwtSecret', 'Use secret.'],
  ['secretOrKeyProvider', 'Use keys: a list, or a function that returns it.'],
  ['secretOrPrivateKey', 'Use secret, or keys: [{ kid, alg, privateKey }].'],
  ['privateKey', 'Use keys: [{ kid, alg, privateKey }].'],
  ['publicKey', 'Use keys: [{ kid, alg, publicKey }].'],
  ['algorithm', 'Each key has its own: keys: [{ kid, alg, … }].'],
  ['algorithms', 'Each key has its own: keys: [{ kid, alg, … }].'],
  ['expiresIn', 'Use accessTokenTtl.'],
  ['signOptions', 'Use accessTokenTtl, issuer and audience.'],
  ['verifyOptions', 'Use clockTolerance, issuer and audience.'],
  ['ignoreExpiration', 'Expiry is never ignored; a logout route takes @AllowExpired().'],
  ['jwtFromRequest', 'The token is taken from the Authorization header (RFC 6750 section 2.1).'],
  ['defaultStrategy', 'Use strategyName.'],
  ['connection', 'Use dataSource.'],
]);

const SECOND = 1_000;
const DAY = 86_400 * SECOND;
const YEAR = 366 * DAY;
const LIMITS = {
  // Longer than any month: whatever should live longer is a session with a refresh token.
  accessTokenTtl: { from: [SECOND, '1 s'], to: [31 * DAY, '31 days'], wholeSeconds: true },
  sessionTtl: { from: [SECOND, '1 s'], to: [YEAR, '366 days'], wholeSeconds: true },
  sessionIdleTtl: { from: [SECOND, '1 s'], to: [YEAR, '366 days'], wholeSeconds: true },
  refreshTokenTtl: { from: [0, '0 (none), or 1 s'], to: [YEAR, '366 days'], wholeSeconds: true },
  // Whoever stole a used refresh token can use it for this long.
  refreshGrace: { from: [0, '0'], to: [600 * SECOND, '10 minutes'] },
  historyFor: { from: [0, '0'], to: [YEAR, '366 days'] },
  // An expired token is accepted for this much longer, and the log must still know its end (W3).
  clockTolerance: { from: [0, '0'], to: [LARGEST_TOLERANCE, '60 s'] },
  // Below half a second the polls, one every quarter, would be the application's main load.
  maxStaleness: { from: [SECOND / 2, '0.5 s'], to: [3_600 * SECOND, '1 h'] },
  staleWait: { from: [0, '0'], to: [10 * SECOND, '10 s'] },
  bootTimeout: { from: [0, '0'], to: [600 * SECOND, '10 minutes'] },
} satisfies Partial<Record<keyof AuthSettings, DurationLimits>>;

/**
 * Checks what a user set and makes it complete: pure, called once, and the only reader of
 * {@link AuthOptions}. Everything else reads its frozen result, with every duration in milliseconds.
 *
 * A `secret` and a list of `keys` are checked at once; a function that gives keys is first called
 * by `loadKeys()`, and its answer is checked there.
 *
 * @param registered - What was given beside `useFactory`.
 * @throws InvalidAuthOptionsError with every problem, what was given, and the fix
 *
 * @example
 * ```ts
 * const resolved = resolveAuthOptions({ secret: randomBytes(32), issuer: 'shop', audience: 'api' });
 * resolved.accessTokenTtl; // 900000
 * ```
 * @internal
 */
export function resolveAuthOptions(
  options: AuthOptions,
  registered: RegisteredCalls = {},
): ResolvedAuthOptions {
  const problems = new OptionProblems();
  const given = readFields(options, 'options', OPTION_NAMES, FAMILIAR, problems);
  if (given === null) throw problems.toError();

  const defaults = new AuthSettings();
  const value = (name: keyof AuthSettings): unknown =>
    given[name] === undefined ? defaults[name] : given[name];
  const duration = (name: keyof typeof LIMITS): number =>
    readDuration(value(name), name, LIMITS[name], problems);

  const issuer = readExactName(value('issuer'), 'issuer', 'https://auth.example.com', problems);
  const audience = readExactName(
    value('audience'),
    'audience',
    'https://api.example.com',
    problems,
  );
  const calls = new ApplicationCallReader(registered, problems);
  const accessTokenTtl = duration('accessTokenTtl');
  const refreshTokenTtl = duration('refreshTokenTtl');
  const foreign = readForeignIssuers(value('foreign'), issuer, problems);
  const legacy = readLegacy(value('legacy'), problems);
  const maxStaleness = duration('maxStaleness');
  const whenStale = readWhenStale(value('whenStale'), maxStaleness, problems);
  const overrideCeiling = readOverrideCeiling(value('overrideCeiling'), maxStaleness, problems);
  const isOpen = whenStale === UNBOUNDED || overrideCeiling === UNBOUNDED;
  const resolved: ResolvedAuthOptions = {
    issuer,
    audience,
    loadKeys: readKeySource(given.secret, given.keys, legacy, problems),
    accessTokenTtl,
    sessionTtl: duration('sessionTtl'),
    sessionIdleTtl:
      value('sessionIdleTtl') === undefined ? refreshTokenTtl : duration('sessionIdleTtl'),
    refreshTokenTtl,
    refreshGrace: duration('refreshGrace'),
    refreshGraceRetries: readRetries(value('refreshGraceRetries'), problems),
    historyFor: duration('historyFor'),
    maxSessions: readMaxSessions(value('maxSessions'), problems),
    claims: calls.claims(value('claims')),
    hint: readHint(value('hint'), problems),
    clockTolerance: duration('clockTolerance'),
    maxStaleness,
    staleWait: duration('staleWait'),
    whenStale,
    openAcknowledgedBy: readAcknowledgement(value('openAcknowledgedBy'), isOpen, problems),
    observeUntil: readObserve(value('observe'), problems),
    overrideCeiling,
    follow: readFollow(value('follow'), problems),
    maxTokenLife: Math.max(
      accessTokenTtl,
      // Not what is left until its end: the hosts' clocks may differ about that.
      legacy === undefined ? 0 : LEGACY_TOKEN_LIFE,
      ...foreign.map(({ maxTokenLife }) => maxTokenLife),
    ),
    foreign,
    acceptWithoutKid: readIssuersWithoutKid(
      value('acceptWithoutKid'),
      [issuer, ...foreign.map((one) => one.issuer)],
      problems,
    ),
    legacy,
    subjectHashKey: readSubjectHashKey(value('subjectHashKey'), problems),
    allowedClaims: readClaimNames(value('allowedClaims'), problems),
    dataSource: readDataSource(value('dataSource'), problems),
    migrations: readMigrations(value('migrations'), problems),
    schema: readSchema(value('schema'), problems),
    tablePrefix: readTablePrefix(value('tablePrefix'), problems),
    newLog: readNewLog(value('newLog'), problems),
    bootTimeout: duration('bootTimeout'),
    strategyName: readStrategyName(value('strategyName'), problems),
    publicMetadataKey: readMetadataKey(value('publicMetadataKey'), problems),
    validate: calls.validate(value('validate')),
    applicationMethods: calls.found,
  };
  problems.throwIfAny();
  return Object.freeze(resolved);
}

function readKeySource(
  secret: unknown,
  keys: unknown,
  legacy: ResolvedLegacy | undefined,
  problems: OptionProblems,
): () => Promise<readonly AuthKey[]> {
  let checked: readonly AuthKey[] = [];
  if (secret !== undefined && keys !== undefined) {
    problems.add('secret', 'a value beside keys', 'Give one of them: move the secret into keys.');
  } else if (secret === undefined && keys === undefined) {
    problems.add(
      'secret',
      'nothing',
      'Give secret (at least 32 random bytes) or keys; if it comes from the environment, is the variable set?',
    );
  } else if (typeof keys === 'function') {
    return async () => {
      const loaded = resolveAuthKeys(await keys());
      const found = new OptionProblems();
      checkNameOfLegacy(loaded, legacy, found);
      found.throwIfAny();
      return loaded;
    };
  } else {
    checked =
      secret === undefined ? readAuthKeys(keys, problems) : readPlainSecret(secret, problems);
    checkNameOfLegacy(checked, legacy, problems);
  }
  return () => Promise.resolve(checked);
}
