import type { ApiTokenSettings } from './api-token-options.js';
import { type Duration, parseDuration } from './duration.js';
import type { RevocationHint } from './revocation-hint.js';
import type { SessionSettings } from './session-settings.js';

/** Until when revocations are only reported, while a new installation is observed. @publicApi */
export interface ObserveOptions {
  /**
   * From then on revocations are enforced, without a restart: a `Date`, `'2027-03-01'` (0:00 UTC), or a
   * time with its zone; at most 30 days ahead.
   */
  until: Date | string;
}

/**
 * The options of running many instances: what they do while they cannot prove that they are fresh, and
 * how they learn of a logout elsewhere.
 *
 * @publicApi
 */
export interface OperationSettings extends SessionSettings, ApiTokenSettings {
  /**
   * What guards do while this instance cannot prove that it is fresh; see {@link StalePolicy}. Override
   * it for a class or a handler with `@WhenStale()`. It never loosens a route with `@Freshness()`.
   *
   * With anything but `'closed'` a token may be accepted after its logout, for as long as the database
   * cannot be reached: an attacker who can cut an instance off decides how long that is.
   *
   * @default 'closed'
   */
  whenStale?: StalePolicy | undefined;

  /**
   * Who decided that revoked tokens may be accepted while freshness cannot be proven: a name or a
   * ticket, 1 to 255 characters, which the boot logs.
   *
   * With `NODE_ENV=production` it is required where the policy `'open'` is used: here, at a route, or as
   * `overrideCeiling`.
   *
   * @default none
   */
  openAcknowledgedBy?: string | undefined;

  /**
   * Observe mode, until a date, for the first week in production: a request that revocation would refuse
   * is reported (`AuthEvents`, type `observed`), logged and **accepted**.
   *
   * No logout takes effect for the guards of this instance, and `wait: 'everywhere'` is an error on every
   * instance. Everything else is enforced: signature and claims, expiry, the refresh of ended sessions,
   * and 503 before the first load.
   *
   * @default none
   */
  observe?: ObserveOptions | undefined;

  /**
   * The largest staleness that `RevocationService.override()` may allow at run time, to keep a site up
   * without its database: seconds, `'10m'`, or `'open'`; more than `maxStaleness`, at most 7 days.
   *
   * It widens the bound of every receipt from the boot on, whether it is used or not.
   *
   * @default none: `override()` is an error
   */
  overrideCeiling?: Duration | 'open' | undefined;

  /**
   * `false` is for a process that only writes, such as a worker or a cron job: it loads no log, and it
   * neither polls nor purges.
   *
   * Login, refresh, logout and account acts work. **Guards answer 503**, because the process knows of no
   * logout, not even its own. It does not learn of revoked keys either: remove them from `keys`.
   *
   * @default true
   */
  follow?: boolean | undefined;

  /**
   * A push notification that wakes the other instances at a logout, typically within a few milliseconds:
   * `postgresHint()`, `redisHint({ url })`, `natsHint({ servers })`, each from its own sub-path, or your
   * own {@link RevocationHint}.
   *
   * It only makes a logout faster: what a push loses arrives with the next poll, within `maxStaleness`.
   *
   * @default none: instances learn by polling, typically after an eighth of `maxStaleness`
   */
  hint?: RevocationHint | undefined;

  /**
   * How many verified tokens a process remembers, 0 to 1,000,000. The signature of such a token is not
   * verified again at its next request; everything else is: expiry, key, revocation, freshness,
   * `validate`. They take at most 16 MiB; those that did not come again are forgotten first.
   *
   * Set it to 0 if each request brings a new token. If most tokens are forgotten before they come again,
   * one warning says so.
   *
   * @default 10000
   */
  verifiedTokens?: number | undefined;
}

/**
 * What a guard does with a token that is not known to be revoked, while this instance cannot prove that
 * it is fresh: `'closed'` answers 503. `{ staleFor }` accepts with a proof of up to this age, seconds or
 * `'10m'`, more than `maxStaleness` and at most 7 days. `'open'` accepts with a proof of any age.
 *
 * Anything but `'closed'` widens the bound of **every** receipt, on every instance: a token that was
 * logged out on another instance may be accepted for this long.
 *
 * @publicApi
 */
export type StalePolicy = 'closed' | 'open' | { readonly staleFor: Duration };

/**
 * "Without a bound", in milliseconds of staleness: about a hundred years, which fits every column and
 * any arithmetic. No token has such a lifetime.
 */
export const UNBOUNDED = 100 * 366 * 86_400_000;

/** The longest `staleFor` (ms), which a timer can still wait for. A longer one would be `'open'`. */
const LONGEST = 7 * 86_400_000;

/**
 * Up to how many milliseconds of staleness a policy accepts, or the sentence with the fix.
 *
 * @param maxStaleness - What the module accepts anyway (ms); 0 where that is not known yet.
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

/** The policy that accepts up to so many milliseconds: {@link parseStalePolicy} backwards. @internal */
export function stalePolicyOf(upTo: number, maxStaleness: number): StalePolicy {
  if (upTo >= UNBOUNDED) return 'open';
  return upTo > maxStaleness ? { staleFor: upTo / 1000 } : 'closed';
}

/** Whether this is a production process, as Nest applications say it. There `'open'` needs a name. */
export function isProduction(): boolean {
  return process.env['NODE_ENV'] === 'production';
}
