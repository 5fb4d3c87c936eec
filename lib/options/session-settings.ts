import type { Type } from '@nestjs/common';
import type { BindingOptions } from './binding-option.js';
import type { ClientLifetimes } from './client-lifetimes.js';
import type { Duration } from './duration.js';

/** The second argument of the option `claims`. @publicApi */
export interface ClaimsContext {
  /** The id of the session (the claim `sid`). */
  readonly sessionId: string;
  /** Whether the claims are for a login or for a refresh. */
  readonly on: 'login' | 'refresh';
  /** The `client` that the login named. */
  readonly client: string | undefined;
}

/**
 * Returns the claims of an account's next access token. The library calls it at each login and at each
 * refresh, so a changed role is in the next token. No claims are copied from the previous token.
 *
 * - Return an object with the claims of the token, or `{}` for none.
 * - Return `null` if the account no longer exists. The client gets 401 `account_disabled`, and a refresh
 *   ends the session.
 * - Throw if your user directory cannot be reached. The error is passed on, and the client can use its
 *   refresh token again. Never turn that error into `null`.
 * - Any other result, such as `undefined`, is a programming error. The client gets 500 and can use its
 *   refresh token again.
 *
 * @example
 * ```ts
 * const claims: ClaimsLoader = async (subject) => {
 *   const user = await users.findOneBy({ id: subject });
 *   return user && { role: user.role }; // findOneBy returns null for a deleted account
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
 * A provider of the application whose method `claims()` returns the claims of a token. It may inject
 * `LogoutService` or `SessionService`.
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
   * Every refresh restarts both this time and `refreshTokenTtl`, so the smaller of the two applies. Set
   * only one of them.
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
   * Lifetimes for logins of one `client`: `{ tv: { sessionTtl: '365d', sessionIdleTtl: '90d' }, web:
   * { sessionIdleTtl: '30m' } }`. If an entry omits a lifetime, the option of the same name applies. The
   * lifetimes are stored with the session at the login, so a refresh on an instance with other options does
   * not change them.
   *
   * All other logins, including those without a `client`, use the entry `'*'`. By default that entry has the
   * shortest lifetimes of the list and of the options. At `POST login` the request chooses its client, so
   * there an entry can only shorten what `'*'` allows. `SessionService.login()` trusts the name: do not pass
   * one that a request chose.
   *
   * @default none: all logins have the same lifetimes
   */
  lifetimes?: Readonly<Record<string, ClientLifetimes>> | undefined;

  /**
   * How long a client can use a refresh token again and get **the same** successor, because it lost the
   * response or refreshed twice at once: seconds or `'5m'`, 0 (never) to 10 minutes.
   *
   * A later use ends the session, unless the retry has the idempotency key of the first use
   * ({@link RefreshContext.idempotencyKey}). A thief can use a used refresh token for this long too.
   *
   * @default 10 (seconds)
   */
  refreshGrace?: Duration | undefined;

  /**
   * How often one refresh token may be used again within `refreshGrace`: 0 to 1,000. Retries with the
   * idempotency key of the first use are not counted.
   *
   * @default 100
   */
  refreshGraceRetries?: number | undefined;

  /**
   * How long the row of an ended session is kept, with its device, address and times: seconds or
   * `'7d'`, 0 to 366 days.
   *
   * During this time the session is not listed, but a refresh with its token gets 401 `session_ended` with
   * the reason. Afterwards it gets `refresh_token_invalid`.
   *
   * @default '1d'
   */
  historyFor?: Duration | undefined;

  /**
   * How many sessions an account may have at a time, from 1 to 10,000, or `false` for no limit. A new login
   * revokes the oldest ones, at most 20, with the reason `newer_login`.
   *
   * A number limits all sessions of an account together. An object such as `{ tv: 1, web: 5 }` limits the
   * sessions of each `client`. All other logins, including those without a `client`, share the limit `'*'`.
   * By default that is the smallest number in the object, because a request can choose its client.
   *
   * Without a limit, anyone who knows one password can create any number of rows. Simultaneous logins may
   * exceed a limit above 20 for a moment.
   *
   * @default 100
   */
  maxSessions?: number | false | Readonly<Record<string, number>> | undefined;

  /**
   * Returns the claims of each access token: a function ({@link ClaimsLoader}), or a class with such a
   * method `claims()` ({@link ClaimsSource}). With `forRootAsync` you may set it beside `useFactory`.
   *
   * @default none: the first token has the claims of the login, and refreshed tokens have none
   */
  claims?: ClaimsLoader | Type<ClaimsSource> | undefined;

  /**
   * Binds tokens to the address of the client, or to a key that only the client has (DPoP): see
   * {@link BindingOptions}. Tokens that were issued before are not bound.
   *
   * @default none: anyone who has a token can use it
   */
  binding?: BindingOptions | undefined;
}
