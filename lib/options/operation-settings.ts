import type { RevocationHint } from './revocation-hint.js';
import type { Duration } from './duration.js';
import type { SessionSettings } from './session-settings.js';
import type { StalePolicy } from './stale-policy.js';

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
export interface OperationSettings extends SessionSettings {
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
}
