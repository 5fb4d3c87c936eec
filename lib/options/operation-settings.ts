import type { ApiTokenSettings } from './api-token-options.js';
import { type Duration, parseDuration } from './duration.js';
import type { RevocationHint } from './revocation-hint.js';
import type { SessionSettings } from './session-settings.js';

/** The option `observe`. @publicApi */
export interface ObserveOptions {
  /**
   * The time from which revocations are enforced, without a restart: a `Date`, `'2027-03-01'` (0:00 UTC), or
   * a time with its zone; at most 30 days ahead.
   */
  until: Date | string;
}

/**
 * The options for several instances: what an instance does while it cannot read the log, and how it learns
 * of a logout on another instance.
 *
 * @publicApi
 */
export interface OperationSettings extends SessionSettings, ApiTokenSettings {
  /**
   * What guards do while this instance cannot read the log; see {@link StalePolicy}. To override it for a
   * class or a handler, use `@WhenStale()`. It does not apply to routes with `@Freshness()`.
   *
   * With any other policy than `'closed'`, a token may be accepted after its logout while the database
   * cannot be reached. An attacker who can cut the instance off decides how long that is.
   *
   * @default 'closed'
   */
  whenStale?: StalePolicy | undefined;

  /**
   * The person or ticket that decided to use the policy `'open'`, 1 to 255 characters. The boot logs it.
   *
   * With `NODE_ENV=production` it is required if `'open'` is used as `whenStale`, at a route, or as
   * `overrideCeiling`.
   *
   * @default none
   */
  openAcknowledgedBy?: string | undefined;

  /**
   * Observe mode for the first week in production: until a date, a request with a revoked token is reported
   * (`AuthEvents`, type `observed`), logged and **accepted**.
   *
   * Until then no logout takes effect for the guards of this instance, and `wait: 'everywhere'` throws on
   * every instance. Everything else is enforced: signature and claims, expiry, the refresh of ended
   * sessions, and 503 before the first load.
   *
   * @default none
   */
  observe?: ObserveOptions | undefined;

  /**
   * The largest staleness that `RevocationService.override()` may allow during an outage of the database:
   * seconds, `'10m'`, or `'open'`; more than `maxStaleness`, at most 7 days.
   *
   * It widens the bound of every receipt from the boot on, whether `override()` is called or not.
   *
   * @default none: `override()` throws
   */
  overrideCeiling?: Duration | 'open' | undefined;

  /**
   * Set `false` in a process that logs users out but guards no routes, such as a worker or a cron job. It
   * does not load, poll or purge the log.
   *
   * Login, refresh, logout and account acts work. **Guards answer 503**, because the process knows of no
   * logout, not even its own. It does not learn of revoked keys either: remove them from `keys`.
   *
   * @default true
   */
  follow?: boolean | undefined;

  /**
   * A push notification, so that the other instances learn of a logout typically within a few milliseconds:
   * `postgresHint()`, `redisHint({ url })`, `natsHint({ servers })`, each from its own sub-path of the
   * package, or your own {@link RevocationHint}.
   *
   * If a notification is lost, the instance learns of the logout with its next poll, within `maxStaleness`.
   *
   * @default none: instances learn by polling, typically after an eighth of `maxStaleness`
   */
  hint?: RevocationHint | undefined;

  /**
   * How many verified tokens a process caches, 0 to 1,000,000, so that it need not verify their signatures
   * again. Expiry, key, revocation, freshness and `validate` are checked at each request. The cache takes at
   * most 16 MiB, and drops tokens first that were not used again.
   *
   * Set it to 0 if each request has a new token. If most tokens are dropped before they are used again, the
   * library logs one warning.
   *
   * @default 10000
   */
  verifiedTokens?: number | undefined;
}

/**
 * What a guard does with a token that is not known to be revoked, while the last successful poll of this
 * instance is older than `maxStaleness`:
 *
 * - `'closed'` answers 503.
 * - `{ staleFor }` accepts while the last successful poll is at most this old: seconds or `'10m'`, more than
 *   `maxStaleness` and at most 7 days.
 * - `'open'` accepts, however old the last successful poll is.
 *
 * Any other policy than `'closed'` widens the bound of **every** receipt, on every instance, because a token
 * that was logged out on another instance may be accepted for this long.
 *
 * @publicApi
 */
export type StalePolicy = 'closed' | 'open' | { readonly staleFor: Duration };

/**
 * The staleness (ms) that means "no bound": about a hundred years. No token is valid for that long, and
 * unlike `Infinity` the number fits in a column.
 */
export const UNBOUNDED = 100 * 366 * 86_400_000;

/** The longest `staleFor` (ms): timers can still wait for 7 days. For longer there is `'open'`. */
const LONGEST = 7 * 86_400_000;

/**
 * The largest staleness that a policy accepts (ms), or the sentence with the fix.
 *
 * @param maxStaleness - The option `maxStaleness` (ms), which every policy accepts; 0 if it is not known yet.
 * @internal
 */
export function parseStalePolicy(
  given: unknown,
  maxStaleness: number,
): number | { readonly fix: string } {
  if (given === 'closed') return maxStaleness;
  if (given === 'open') return UNBOUNDED;
  if (typeof given !== 'object' || given === null || Object.keys(given).join() !== 'staleFor') {
    return { fix: "Write 'closed', 'open' or { staleFor: '10m' }." };
  }
  return parseStaleFor(Reflect.get(given, 'staleFor'), maxStaleness);
}

/** The duration of a policy in milliseconds; see {@link parseStalePolicy}. @internal */
export function parseStaleFor(
  given: unknown,
  maxStaleness: number,
): number | { readonly fix: string } {
  const parsed = parseDuration(given);
  if (typeof parsed !== 'number') return parsed;
  if (parsed > LONGEST) return { fix: "Give at most 7 days; write 'open' for longer." };
  if (parsed > maxStaleness) return parsed;
  return {
    fix: 'Give more than maxStaleness, which is accepted anyway; @Freshness() is what tightens.',
  };
}

/** The policy that accepts this staleness (ms): the reverse of {@link parseStalePolicy}. @internal */
export function stalePolicyOf(upTo: number, maxStaleness: number): StalePolicy {
  if (upTo >= UNBOUNDED) return 'open';
  return upTo > maxStaleness ? { staleFor: upTo / 1000 } : 'closed';
}

/** Whether `NODE_ENV` is `production`, where `'open'` needs the option `openAcknowledgedBy`. */
export function isProduction(): boolean {
  return process.env['NODE_ENV'] === 'production';
}
