import type { RevocationHint } from './revocation-hint.js';
import type { Duration } from './duration.js';
import type { SessionSettings } from './session-settings.js';
import type { StalePolicy } from './stale-policy.js';

/** How long, and that, revoked tokens are let pass while a new installation is watched. @publicApi */
export interface ObserveOptions {
  /**
   * From when on revocations are enforced, without a restart: a `Date`, `'2027-03-01'` (0:00 UTC), or a
   * time with its zone; at most 30 days ahead.
   */
  until: Date | string;
}

/**
 * The options of running many instances: what they do when they cannot know; **the property
 * initialisers are the defaults**.
 *
 * @publicApi
 */
export interface OperationSettings extends SessionSettings {
  /**
   * What becomes of requests while this instance cannot prove that it is fresh; see
   * {@link StalePolicy}. `@WhenStale()` says otherwise for a class or a handler; a route with
   * `@Freshness()` is never loosened by this option.
   *
   * Anything but `'closed'` lets a token live on after its logout, for as long as the database (or the
   * way to it) is away: whoever can cut an instance off decides how long that is.
   *
   * @default 'closed'
   */
  whenStale?: StalePolicy | undefined;

  /**
   * Who decided that revoked tokens are accepted while nothing can be proven: a name or a ticket, 1 to
   * 255 characters, which the boot logs. Where `NODE_ENV` is `production`, nothing starts without it
   * that says `'open'` anywhere: here, at a route, or as `overrideCeiling`.
   *
   * @default none
   */
  openAcknowledgedBy?: string | undefined;

  /**
   * Decides, tells (`AuthEvents`, type `observed`) and logs, but **lets pass** what the revocation would
   * refuse, until a date: for the first week in production. No logout is in force for guards here, and
   * `wait: 'everywhere'` is an error on every instance. Everything else stays enforced: signature and
   * claims, expiry, the refresh of ended sessions, and 503 before the first load.
   *
   * @default none
   */
  observe?: ObserveOptions | undefined;

  /**
   * Up to how much staleness `RevocationService.override()` may go at run time, for whoever has to keep
   * a site up without its database: seconds, `'10m'`, or `'open'`; more than `maxStaleness`, at most 7
   * days. It counts in every receipt from the boot on, whether it is used or not.
   *
   * @default none: `override()` is an error
   */
  overrideCeiling?: Duration | 'open' | undefined;

  /**
   * `false`: a process that only writes, such as a worker or a cron job: it loads no log, polls nothing
   * and purges nothing. Login, refresh, logout and account acts work; **guards answer 503**, because it
   * knows of no logout, not even its own. It does not hear of revoked keys either: take them out of
   * `keys`.
   *
   * @default true
   */
  follow?: boolean | undefined;

  /**
   * Tells the other instances of a logout at once, typically within a few milliseconds:
   * `postgresHint()`, `redisHint({ url })`, `natsHint({ servers })`, each from its own sub-path, or a
   * {@link RevocationHint} of your own.
   *
   * Only speed: what a hint loses arrives with the next poll, within `maxStaleness`.
   *
   * @default none; instances learn by polling, typically after an eighth of `maxStaleness`
   */
  hint?: RevocationHint | undefined;
}
