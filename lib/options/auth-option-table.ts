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

/** The largest `clockTolerance` (ms). The log keeps events for twice this time after their tokens expired. */
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

  // At most a month. A longer login is a session with refresh tokens.
  accessTokenTtl: option('15m', duration('1s', '31d', 'whole seconds')),
  // An expired token is accepted for this much longer, so the log must keep its revocation as long (W3).
  clockTolerance: option(5, duration('0s', `${LARGEST_TOLERANCE / 1_000}s`)),
  /** Claims that are allowed although their names look like secrets. */
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
  /** By client name; `undefined`: all clients have the four lifetimes above. */
  lifetimes: option(undefined, clientLifetimes),
  // At most 10 minutes, because a thief can use a stolen, used refresh token for this long too.
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

  // Not below half a second: an instance polls four times in this period, which would be its main load.
  maxStaleness: option(5, duration('500ms', '1h')),
  staleWait: option('250ms', duration('0s', '10s')),
  /** The largest staleness that guards accept (ms); with `'closed'` that is `maxStaleness`. */
  whenStale: option('closed', whenStale),
  overrideCeiling: option(undefined, overrideCeiling),
  openAcknowledgedBy: option(undefined, openAcknowledgedBy),
  /** Until when revocations are only observed, not enforced (epoch ms, by the library's `now`). */
  observe: option(undefined, observe),
  follow: option(true, flag),
  /** Notifies other instances of a logout at once; `undefined`: they poll. */
  hint: option(undefined, hint),
  verifiedTokens: option(10_000, integer(0, 1_000_000)),

  foreign: option([], foreignIssuers),
  /** Issuers whose tokens without a `kid` are accepted after a key of the issuer was revoked. */
  acceptWithoutKid: option([], issuersWithoutKid),
  legacy: option(undefined, legacy),
  /** The key of the hashes in `AuthEvents`. */
  subjectHashKey: option(undefined, subjectHashKey),

  dataSource: option(undefined, dataSource),
  migrations: option('check', oneOf('check', 'run')),
  // A plain identifier, because it is part of every statement.
  schema: option(
    undefined,
    text(
      (name) => /^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(name),
      'Give a plain identifier: letters, digits and _, not a digit first, at most 63.',
    ),
  ),
  // Short, because index names have it too: PostgreSQL cuts names off after 63 bytes, MySQL refuses more
  // than 64.
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

  // These two are checked together, and last: the check of `keys` uses `secret` and `legacy`.
  secret: option(undefined, (given) => given),
  keys: option(undefined, keySource),
} satisfies OptionTable & Record<keyof AuthOptions, unknown>;

function claimName(given: unknown, path: string): string {
  if (typeof given === 'string' && given !== '' && given.length <= 128 && given.isWellFormed())
    return given;
  throw wrong(path, given, 'Use the exact name of a claim.');
}

/** The check of `sessionIdleTtl`. Its default is the value of `refreshTokenTtl`. */
function idleTtl(
  given: unknown,
  path: string,
  earlier: { readonly refreshTokenTtl: number },
): number {
  if (given === undefined) return earlier.refreshTokenTtl;
  return duration('1s', '366d', 'whole seconds')(given, path, earlier);
}

/** The check of `maxSessions`. If `'*'` is not listed, it gets the smallest number of the list. */
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

/** The value of `maxStaleness`; absent if its own check has failed. */
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

/** The check of `openAcknowledgedBy`, which is required in production if something is `'open'`. */
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
  // Only the kind is shown, because a URL may contain a password.
  throw wrongKind(
    path,
    given,
    typeof given === 'function'
      ? 'Call it: hint: postgresHint().'
      : 'Give postgresHint(), redisHint({ url }), natsHint({ servers }), or a RevocationHint of your own.',
  );
}

// Checked by shape, because an application may implement the interface itself.
function isHint(given: unknown): given is RevocationHint {
  if (typeof given !== 'object' || given === null) return false;
  const shape = { name: 'string', whenUnheard: 'string', prepare: 'function', connect: 'function' };
  return Object.entries(shape).every(([name, type]) => typeof Reflect.get(given, name) === type);
}
