import type { Type } from '@nestjs/common';
import type { Duration } from './duration.js';

/** What the application is told when it is asked for the claims of a token. @publicApi */
export interface ClaimsContext {
  /** The login's id. */
  readonly sessionId: string;
  /** `login` also where the function that authenticated brought no claims of its own. */
  readonly on: 'login' | 'refresh';
  /** What the login said of its client. */
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
 * - It throws: the error passes through, and the refresh token is as good as it was. Let a directory
 *   that cannot be reached throw; never turn its error into `null`.
 * - Anything else, `undefined` above all: a programming error, answered with 500. Nothing is consumed.
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
 * A class that gives claims: a provider of the application, with all that it injects. It may inject
 * `LogoutService` or `SessionService`, because its instance is looked up after all were made.
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
 * The options of sessions and refresh tokens; **the property initialisers are the defaults**.
 *
 * All of these times are judged by the database's clock, never by a host's.
 *
 * @publicApi
 */
export interface SessionSettings {
  /**
   * How long a login can last, however often it is refreshed: seconds or `'30d'`, from 1 s to 366
   * days. Rotation never extends it (ASVS 5.0 7.3.2).
   *
   * @default '30d'
   */
  sessionTtl?: Duration | undefined;

  /**
   * After how long without a refresh a login ends (ASVS 5.0 7.3.1), where that is sooner than its refresh
   * token expires: seconds or `'12h'`, from 1 s to 366 days. Every refresh begins both anew, so the
   * smaller of the two decides, and one of them is enough.
   *
   * @default as long as `refreshTokenTtl`
   */
  sessionIdleTtl?: Duration | undefined;

  /**
   * How long a refresh token is good: seconds or `'14d'`, from 1 s to 366 days; 0 gives none, and a
   * login then ends with its access token.
   *
   * @default '14d'
   */
  refreshTokenTtl?: Duration | undefined;

  /**
   * For how long a refresh token that was just used gives **the same** successor again, to a client
   * that lost the answer or asked twice at once: seconds or `'5m'`, 0 to 10 minutes. After it the
   * token ends its session, unless the retry carries the idempotency key of the first use
   * ({@link RefreshContext.idempotencyKey}).
   *
   * Whoever stole a used refresh token can use it for this long too. 0 gives no grace at all.
   *
   * @default 10 (seconds)
   */
  refreshGrace?: Duration | undefined;

  /**
   * How often one refresh token may be used again within its grace: 0 to 1,000. Retries that carry
   * the idempotency key of the first use are not counted.
   *
   * @default 100
   */
  refreshGraceRetries?: number | undefined;

  /**
   * How long the row of an ended login is kept, with its device, address and times: seconds or
   * `'7d'`, 0 to 366 days. It is not listed in that time, but its refresh token is told why it is
   * refused; after it the token is one that nobody knows.
   *
   * @default '1d'
   */
  historyFor?: Duration | undefined;

  /**
   * How many logins an account may have at a time, from 1 to 10,000; the oldest end with the reason
   * `newer_login`, at most 20 for each new login. A number is for all of an account's logins together.
   *
   * Numbers by the `client` that a login names, `{ tv: 1, web: 5 }`, are limits for each of them. All
   * other logins, those that name no client included, share the limit `'*'`: by default the smallest
   * number that is listed, because the client chooses what it names.
   *
   * `false` is no limit. Whoever knows a password can then make rows without end.
   *
   * A limit above 20 may be exceeded for a moment, by logins that happen at once.
   *
   * @default 100
   */
  maxSessions?: number | false | Readonly<Record<string, number>> | undefined;

  /**
   * Gives the claims of each access token: a function ({@link ClaimsLoader}), or a class with such a
   * method `claims()` ({@link ClaimsSource}). In `forRootAsync` it may be given beside `useFactory`.
   *
   * @default what the login brought, once; a refreshed token then has no claims of the application
   */
  claims?: ClaimsLoader | Type<ClaimsSource> | undefined;
}
