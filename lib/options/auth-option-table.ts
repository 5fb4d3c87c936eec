import { isActor } from '../platform/identifier.js';
import { accessTokens, apiTokens } from './api-token-options.js';
import { applicationMethod } from './application-method.js';
import type { AuthOptions, UserValidator } from './auth-options.js';
import { binding } from './binding-option.js';
import { clientLifetimes } from './client-lifetimes.js';
import { dataSource } from './data-source-option.js';
import { foreignIssuers, issuersWithoutKid } from './foreign-issuers.js';
import { subjectHashKey } from './key-material.js';
import { keySource } from './resolve-auth-keys.js';
import { legacy } from './legacy-options.js';
import {
  dateWithin,
  duration,
  exactName,
  flag,
  integer,
  isInteger,
  list,
  oneOf,
  option,
  type OptionTable,
  readOptions,
  text,
  wrong,
  wrongKind,
} from './option-checks.js';
import type { RevocationHint } from './revocation-hint.js';
import type { ClaimsSource } from './session-settings.js';
import { isProduction, parseStaleFor, parseStalePolicy, UNBOUNDED } from './operation-settings.js';

/** The largest legal `clockTolerance` (ms); the log keeps each event for twice as long after its tokens. */
export const LARGEST_TOLERANCE = 60_000;

/**
 * Every option of `AuthModule`: its name, its default, and its check, which returns the resolved value.
 * This is the only place with defaults; the options are described where their types are.
 *
 * The rows are checked in this order, and a check may use the values of the rows above it. The compiler
 * refuses a table in which an option is missing.
 */
export const AUTH_OPTIONS = {
  issuer: option(undefined, exactName('https://auth.example.com')),
  audience: option(undefined, exactName('https://api.example.com')),

  // Longer than any month: whatever should last longer is a session with a refresh token.
  accessTokenTtl: option('15m', duration('1s', '31d', 'whole seconds')),
  // An expired token is accepted for this much longer, and the log must still know its end (W3).
  clockTolerance: option(5, duration('0s', `${LARGEST_TOLERANCE / 1_000}s`)),
  /** Names of claims that look like secrets, and that the application signs all the same. */
  allowedClaims: option([], list(claimName, "Give a list of names, such as ['pin'].")),
  claims: option(
    undefined,
    applicationMethod<ClaimsSource>('claims', '(subject, context) => ({ role: … })'),
  ),
  validate: option(
    undefined,
    applicationMethod<UserValidator>('validate', '(claims, request) => user'),
  ),

  sessionTtl: option('30d', duration('1s', '366d', 'whole seconds')),
  /** 0 = no refresh tokens. */
  refreshTokenTtl: option('14d', duration('0s', '366d', 'whole seconds')),
  sessionIdleTtl: option(undefined, idleTtl),
  /** By client name; `undefined`: the four options above hold for all. */
  lifetimes: option(undefined, clientLifetimes),
  // Whoever stole a used refresh token can use it for this long.
  refreshGrace: option(10, duration('0s', '10m')),
  refreshGraceRetries: option(100, integer(0, 1_000)),
  historyFor: option('1d', duration('0s', '366d')),
  /** By client name; `'*'`, which all others share, is always there. `undefined`: no limit. */
  maxSessions: option(100, maxSessions),
  /** `undefined`: nothing is bound. */
  binding: option(undefined, binding),

  /** Opaque tokens; `undefined`: there are none. */
  apiTokens: option(false, apiTokens),
  accessTokens: option('jwt', accessTokens),

  // Below half a second the polls, one every quarter, would be the application's main load.
  maxStaleness: option(5, duration('500ms', '1h')),
  staleWait: option('250ms', duration('0s', '10s')),
  /** Up to how much staleness the module accepts; `maxStaleness` where it is closed. */
  whenStale: option('closed', whenStale),
  overrideCeiling: option(undefined, overrideCeiling),
  openAcknowledgedBy: option(undefined, openAcknowledgedBy),
  /** Epoch ms, by the library's one `now`: until then, revocations are not enforced. */
  observe: option(undefined, observe),
  follow: option(true, flag),
  /** Notifies other instances of a logout at once; `undefined`: they poll. */
  hint: option(undefined, hint),
  verifiedTokens: option(10_000, integer(0, 1_000_000)),

  foreign: option([], foreignIssuers),
  /** Issuers whose tokens are accepted without a kid although a key of theirs was revoked. */
  acceptWithoutKid: option([], issuersWithoutKid),
  legacy: option(undefined, legacy),
  /** Of the hashes in `AuthEvents`. */
  subjectHashKey: option(undefined, subjectHashKey),

  dataSource: option(undefined, dataSource),
  migrations: option('check', oneOf('check', 'run')),
  // Every statement has it, so nothing that needs quotes.
  schema: option(
    undefined,
    text(
      (name) => /^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(name),
      'Give a plain identifier: letters, digits and _, not a digit first, at most 63.',
    ),
  ),
  // Every statement has it, and index names must stay short.
  tablePrefix: option(
    undefined,
    text(
      (prefix) => /^[a-z_][a-z0-9_]{0,31}$/.test(prefix),
      "Give lower-case letters, digits and _, not a digit first, at most 32: 'shop_'.",
    ),
  ),
  newLog: option(false, flag),
  bootTimeout: option('10s', duration('0s', '10m')),
  strategyName: option(
    undefined,
    text(
      // passport keeps strategies in a plain object, and registers 'session' itself.
      (name) =>
        /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/.test(name) && name !== 'session' && !(name in {}),
      "Give 1 to 64 letters, digits or . _ : -, such as 'jwt'; 'session' is passport's own.",
    ),
  ),
  publicMetadataKey: option(
    undefined,
    text(
      (key) => key.trim() !== '' && key.length <= 128,
      "Give the key that your own @Public() sets, such as 'isPublic'.",
    ),
  ),

  // The two are checked together, at last.
  secret: option(undefined, (given) => given),
  keys: option(undefined, keySource),
} satisfies OptionTable & Record<keyof AuthOptions, unknown>;

function claimName(given: unknown, path: string): string {
  if (typeof given === 'string' && given !== '' && given.length <= 128 && given.isWellFormed())
    return given;
  throw wrong(path, given, 'Use the exact name of a claim.');
}

/** As long as a refresh token where nothing is given. */
function idleTtl(
  given: unknown,
  path: string,
  earlier: { readonly refreshTokenTtl: number },
): number {
  if (given === undefined) return earlier.refreshTokenTtl;
  return duration('1s', '366d', 'whole seconds')(given, path, earlier);
}

/** `'*'` is as small as the smallest number that is listed, if it is not listed itself. */
function maxSessions(given: unknown, path: string): ReadonlyMap<string, number> | undefined {
  const most = 10_000;
  if (given === false) return undefined;
  if (isInteger(given, 1, most)) return new Map([['*', given]]);
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) {
    const limits = Object.entries(given);
    const isComplete = limits.every(
      ([name, limit]) => isInteger(limit, 1, most) && !name.endsWith(' '),
    );
    if (limits.length > 0 && isComplete) {
      const smallest = Math.min(...limits.map(([, limit]) => limit as number));
      return new Map([['*', smallest], ...(limits as [string, number][])]);
    }
  }
  const fix = `Give 1 to ${most}, such a number for each client: { web: 5, tv: 1 }, or false for no limit.`;
  throw wrong(path, given, fix);
}

/** What is accepted anyway; missing where it was refused. */
interface Accepted {
  readonly maxStaleness?: number;
}

function whenStale(given: unknown, path: string, { maxStaleness = 0 }: Accepted): number {
  const parsed = parseStalePolicy(given, maxStaleness);
  if (typeof parsed === 'number') return parsed;
  throw wrong(path, given, parsed.fix);
}

function overrideCeiling(
  given: unknown,
  path: string,
  { maxStaleness = 0 }: Accepted,
): number | undefined {
  if (given === undefined) return undefined;
  const parsed = given === 'open' ? UNBOUNDED : parseStaleFor(given, maxStaleness);
  if (typeof parsed === 'number') return parsed;
  throw wrong(path, given, parsed.fix);
}

/** In production it is required where something is `'open'`. */
function openAcknowledgedBy(
  given: unknown,
  path: string,
  earlier: { readonly whenStale: number; readonly overrideCeiling: number | undefined },
): string | undefined {
  if (isActor(given)) return given;
  if (given !== undefined) throw wrong(path, given, 'Use a name of 1 to 255 characters.');
  const isOpen = earlier.whenStale === UNBOUNDED || earlier.overrideCeiling === UNBOUNDED;
  if (!isOpen || !isProduction()) return undefined;
  throw wrong(
    path,
    given,
    "Name who decided that revoked tokens are accepted while nothing can be proven, or use { staleFor } instead of 'open'.",
  );
}

function observe(given: unknown, path: string): number | undefined {
  if (given === undefined) return undefined;
  return readOptions(given, path, { until: option(undefined, dateWithin(30)) }).until;
}

function hint(given: unknown, path: string): RevocationHint | undefined {
  if (given === undefined || isHint(given)) return given;
  // By kind only: a URL holds a password.
  throw wrongKind(
    path,
    given,
    typeof given === 'function'
      ? 'Call it: hint: postgresHint().'
      : 'Give postgresHint(), redisHint({ url }), natsHint({ servers }), or a RevocationHint of your own.',
  );
}

// By shape, not by instanceof: an application may bring its own.
function isHint(given: unknown): given is RevocationHint {
  if (typeof given !== 'object' || given === null) return false;
  const shape = { name: 'string', whenUnheard: 'string', prepare: 'function', connect: 'function' };
  return Object.entries(shape).every(([name, type]) => typeof Reflect.get(given, name) === type);
}
