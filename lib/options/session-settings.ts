import type { Type } from '@nestjs/common';
import type { BindingOptions } from './binding-option.js';
import type { ClientLifetimes } from './client-lifetimes.js';
import type { Duration } from './duration.js';

/** What the application learns when it is asked for the claims of a token. @publicApi */
export interface ClaimsContext {
  /** The login's id. */
  readonly sessionId: string;
  /** `login` also where the function that authenticated brought no claims of its own. */
  readonly on: 'login' | 'refresh';
  /** The `client` that the login named. */
  readonly client: string | undefined;
}

/**
 * Gives the claims of an account's next access token; it is asked again at each refresh, so that a
 * changed role is in the next token. Nothing is copied from the token before.
 *
 * It runs after the log's position was read and before anything is consumed.
 *
 * - An object: the claims of the token; `{}` for none.
 * - `null`: there is no such account. The caller gets 401 `account_disabled`, and a refresh ends its
 *   session.
 * - It throws: the error passes through, and the refresh token can be used again. Where a directory
 *   cannot be reached, let it throw; never turn its error into `null`.
 * - Anything else, such as `undefined`: a programming error, answered with 500. Nothing is consumed.
 *
 * @example
 * ```ts
 * const claims: ClaimsLoader = async (subject) => {
 *   const user = await users.findOneBy({ id: subject });
 *   return user && { role: user.role }; // findOneBy gives null for a deleted account
 * };
 * ```
 * @publicApi
 */
export type ClaimsLoader = (
  subject: string,
  context: ClaimsContext,
) => MaybeClaims | Promise<MaybeClaims>;

/** Claims, or `null` for an account that no longer exists. */
type MaybeClaims = Readonly<Record<string, unknown>> | null;

/**
 * A class that gives claims: a provider of the application. It may inject `LogoutService` or
 * `SessionService`, because its instance is looked up after all instances were made.
 *
 * @example
 * ```ts
 * @Injectable()
 * class UsersService implements ClaimsSource {
 *   async claims(subject: string) {
 *     return { role: await this.roleOf(subject) };
 *   }
 * }
 *
 * AuthModule.forRootAsync({ inject: [ConfigService], useFactory, claims: UsersService });
 * ```
 * @publicApi
 */
export interface ClaimsSource {
  /** See {@link ClaimsLoader}. */
  claims: ClaimsLoader;
}

/**
 * The options of sessions and refresh tokens. Their times are measured by the database's clock, never
 * by that of a host.
 *
 * @publicApi
 */
export interface SessionSettings {
  /**
   * How long a session can last, however often it is refreshed: seconds or `'30d'`, from 1 s to 366
   * days. A refresh never extends it (ASVS 5.0 7.3.2).
   *
   * @default '30d'
   */
  sessionTtl?: Duration | undefined;

  /**
   * A session expires after this time without a refresh (ASVS 5.0 7.3.1): seconds or `'12h'`, from 1 s
   * to 366 days.
   *
   * Every refresh restarts both this time and `refreshTokenTtl`. So the smaller of the two decides, and
   * one of them is enough.
   *
   * @default as long as `refreshTokenTtl`
   */
  sessionIdleTtl?: Duration | undefined;

  /**
   * The lifetime of a refresh token: seconds or `'14d'`, from 1 s to 366 days. With 0 there are no
   * refresh tokens, and a session expires with its access token.
   *
   * @default '14d'
   */
  refreshTokenTtl?: Duration | undefined;

  /**
   * Other lifetimes by the `client` that a login names: `{ tv: { sessionTtl: '365d', sessionIdleTtl: '90d' },
   * web: { sessionIdleTtl: '30m' } }`. They are decided at the login and stored with the session, so a
   * refresh on an instance with other options does not change them. What an entry leaves out is the option of
   * the same name; an access token can only be shorter-lived.
   *
   * All other logins, also those without a `client`, share the entry `'*'`: by default the shortest lifetimes
   * of the list and of the options. At `POST login` the request names its client, so there no login is longer
   * than `'*'`. In a call of `login()` the name is trusted: do not pass one that a request chose.
   *
   * @default none: all logins have the same lifetimes
   */
  lifetimes?: Readonly<Record<string, ClientLifetimes>> | undefined;

  /**
   * How long a refresh token that was just used gives **the same** successor again, to a client that
   * lost the answer or asked twice at once: seconds or `'5m'`, 0 to 10 minutes.
   *
   * Used after this time, the token revokes its session, unless the retry has the idempotency key of the
   * first use ({@link RefreshContext.idempotencyKey}). A thief of a used refresh token can use it for
   * this long too. With 0 there is no grace.
   *
   * @default 10 (seconds)
   */
  refreshGrace?: Duration | undefined;

  /**
   * How often one refresh token may be used again within its grace: 0 to 1,000. Retries with the
   * idempotency key of the first use are not counted.
   *
   * @default 100
   */
  refreshGraceRetries?: number | undefined;

  /**
   * How long the row of an ended session is kept, with its device, address and times: seconds or
   * `'7d'`, 0 to 366 days.
   *
   * The session is not listed in that time, but the answer to its refresh token names the reason. After
   * it the token is unknown.
   *
   * @default '1d'
   */
  historyFor?: Duration | undefined;

  /**
   * How many sessions an account may have at a time, from 1 to 10,000. A new login revokes the oldest
   * ones, at most 20, with the reason `newer_login`.
   *
   * A number is for all sessions of an account together. Numbers by the `client` that a login names,
   * such as `{ tv: 1, web: 5 }`, are limits for each of them. All other logins, also those without a
   * `client`, share the limit `'*'`: by default the smallest number of the list, because the client
   * chooses what it names.
   *
   * `false` is no limit. Anyone who knows a password can then make rows without end.
   *
   * A limit above 20 may be exceeded for a moment, by logins at the same time.
   *
   * @default 100
   */
  maxSessions?: number | false | Readonly<Record<string, number>> | undefined;

  /**
   * Gives the claims of each access token: a function ({@link ClaimsLoader}), or a class with such a
   * method `claims()` ({@link ClaimsSource}). With `forRootAsync` it may be written beside `useFactory`.
   *
   * @default the claims of the login, once: a refreshed token then has no claims of the application
   */
  claims?: ClaimsLoader | Type<ClaimsSource> | undefined;

  /**
   * Binds tokens to the address of their client, or to a key that it has (DPoP): see
   * {@link BindingOptions}. Tokens that were issued before stay as they are until they expire.
   *
   * @default none: whoever has a token can use it
   */
  binding?: BindingOptions | undefined;
}
