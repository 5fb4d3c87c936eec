import type { Type } from '@nestjs/common';
import type { DataSource, DataSourceOptions } from 'typeorm';
import type { TokenClaims } from './token-claims.js';
import type { AuthKeySource, SecretMaterial } from './auth-key.js';
import type { Duration } from './duration.js';
import type { ForeignIssuerOptions } from './foreign-issuers.js';
import type { OperationSettings } from './operation-settings.js';
import type { LegacyOptions } from './legacy-options.js';

interface ShapesTheUser {
  validate(claims: TokenClaims, request: object): unknown;
}

/**
 * Shapes `request.user` from verified claims, as `validate()` does in the passport recipe; it may
 * return a promise. It runs after signature, claims and revocation were checked.
 *
 * What it returns is `request.user`. `null`, `undefined` and `false` refuse the request with a 401.
 * Its own errors pass through. Keep it cheap: it runs on every request.
 *
 * @example
 * ```ts
 * const validate: ClaimsValidator = (claims) => ({ id: claims.sub, name: claims['name'] });
 * ```
 * @publicApi
 */
// Taken from a method, because a method's parameters may be narrower: an application can write
// `(claims: MyClaims, request: Request) => …` without a cast.
export type ClaimsValidator = ShapesTheUser['validate'];

/**
 * A class that shapes `request.user`: a provider of the application, looked up after all instances
 * were made, so that it may inject what AuthModule exports.
 *
 * @example
 * ```ts
 * @Injectable()
 * class UsersService implements UserValidator {
 *   validate(claims: TokenClaims) {
 *     return { id: claims.sub };
 *   }
 * }
 *
 * AuthModule.forRootAsync({ inject: [ConfigService], useFactory, validate: UsersService });
 * ```
 * @publicApi
 */
export interface UserValidator {
  /** See {@link ClaimsValidator}. */
  validate: ClaimsValidator;
}

/**
 * Every option except the keys. `undefined` means the default; `null` is refused like any wrong type.
 *
 * All options are checked once, at boot. Wrong ones stop it with an `InvalidAuthOptionsError` that
 * lists every problem. The defaults and the checks are in the table `AUTH_OPTIONS`.
 *
 * @publicApi
 */
export interface AuthSettings extends OperationSettings {
  /**
   * The exact `iss` of the application's tokens (RFC 7519 section 4.1.1), compared byte by byte.
   *
   * It is required because otherwise a token of any other service with the same secret would be
   * accepted (RFC 8725 section 3.8).
   */
  issuer: string;

  /**
   * The exact `aud` of the application's tokens (RFC 7519 section 4.1.3): one string, the name of
   * this API.
   *
   * It is required because otherwise a token for another API of the same issuer would be accepted
   * (RFC 8725 section 3.9).
   */
  audience: string;

  /**
   * The lifetime of an access token: whole seconds or `'15m'`, from 1 s to 31 days.
   *
   * Every revocation is remembered for this lifetime, so the index in memory grows with it.
   *
   * @default '15m' (900 seconds)
   */
  accessTokenTtl?: Duration | undefined;

  /**
   * How far the host's clock may be off when `exp`, `nbf` and `iat` are checked: seconds, 0 to 60.
   *
   * An expired token is accepted for this much longer (RFC 7519 section 4.1.4 allows "usually no more
   * than a few minutes"). A revoked token is not.
   *
   * @default 5 (seconds)
   */
  clockTolerance?: Duration | undefined;

  /**
   * How long after a logout has resolved another instance may still accept the token (promise P2):
   * seconds or `'500ms'`, from 0.5 s to 1 h.
   *
   * An instance that cannot prove that it is this fresh answers 503. A smaller value means more polls:
   * there is one every quarter of it.
   *
   * @default 5 (seconds)
   */
  maxStaleness?: Duration | undefined;

  /**
   * How long a request may wait for a new proof of freshness before it is answered with 503: seconds
   * or `'250ms'`, 0 (never wait) to 10 s. So an instance that was paused recovers without errors.
   *
   * @default '250ms'
   */
  staleWait?: Duration | undefined;

  /**
   * Other issuers whose tokens `RevocationGuard` and `assertActive()` check for revocation. Each entry
   * is a {@link ForeignIssuerOptions}.
   *
   * @default [] (tokens of other issuers are refused)
   */
  foreign?: readonly ForeignIssuerOptions[] | undefined;

  /**
   * Issuers whose tokens without a `kid` are still accepted by `assertActive()` and `RevocationGuard`
   * after one of their keys was revoked: the own `issuer`, or an issuer of `foreign`, by exact name.
   *
   * Anyone who has the revoked key can go on making such tokens. Where the tokens have a `kid`, pass it
   * instead.
   *
   * @default [] (401 `key_revoked` once a key of the issuer was revoked)
   */
  acceptWithoutKid?: readonly string[] | undefined;

  /**
   * The key for the hashes that stand for accounts and sessions in `AuthEvents`, at least 32 random
   * bytes. Without it, a reader of the events can find an account by trying all account numbers.
   *
   * Keep the key as long as the events: with a new key the same account has another hash.
   *
   * @default none: hashes without a key, and one warning at the first of them
   */
  subjectHashKey?: SecretMaterial | undefined;

  /**
   * Accepts the tokens of the passport recipe until a date; see {@link LegacyOptions}.
   *
   * @default none
   */
  legacy?: LegacyOptions | undefined;

  /**
   * Claims that are named like secrets (`password`, `pin`, `cardNumber`, …) and may be in a token
   * nevertheless, by exact name. Anyone who has a token can read its payload.
   *
   * @default []
   */
  allowedClaims?: readonly string[] | undefined;

  /**
   * The database of the log: the name of the application's `DataSource`, that `DataSource`, or
   * options for one. The library opens its own small pool, so neither pool can starve the other.
   *
   * @default the application's only `DataSource`; none or several stop the boot
   */
  dataSource?: string | DataSource | DataSourceOptions | undefined;

  /**
   * `'check'` stops the boot if the tables are missing. `'run'` creates them, for which the database
   * user needs the right to create tables; it suits development and single instances.
   *
   * @default 'check'
   */
  migrations?: 'check' | 'run' | undefined;

  /**
   * The database schema of the library's tables: a plain identifier (letters, digits, `_`, at most
   * 63). PostgreSQL only: with any other database it stops the boot.
   *
   * @default the connection's own
   */
  schema?: string | undefined;

  /**
   * A prefix for the names of the library's tables and indexes, where a name is taken or several
   * applications share a database: lower-case letters, digits and `_`, at most 32.
   *
   * Give it to the command (`--table-prefix`) too and, if you run the migrations yourself, to
   * `authTables({ tablePrefix })`. Another prefix is another, empty log: tokens that were logged out in
   * the old one would be accepted again.
   *
   * @default no prefix
   * @example tablePrefix: 'shop_'
   */
  tablePrefix?: string | undefined;

  /**
   * Whether a new, empty log may be started beside an existing one in the same database and schema, as
   * for a second application. Otherwise that stops the boot, because after a change of `tablePrefix`
   * every token that was logged out would be accepted again.
   *
   * @default false
   */
  newLog?: boolean | undefined;

  /**
   * How long the boot waits for the first complete load: seconds or `'10s'`, 0 to 10 minutes. After
   * that the application starts closed: every guarded route answers 503 until the load succeeds.
   *
   * @default '10s'
   */
  bootTimeout?: Duration | undefined;

  /**
   * The name under which the strategy is registered with passport, for `AuthGuard('name')`. A name
   * that is taken stops the boot; `'session'` is passport's own.
   *
   * @default none: it is not registered, and JwtAuthGuard finds it without a name
   */
  strategyName?: string | undefined;

  /**
   * The metadata key of the application's own `@Public()`, which is then obeyed too: a handler or class
   * with a true value under it needs no token.
   *
   * @default none: only the `@Public()` of this library opens a route
   */
  publicMetadataKey?: string | undefined;

  /**
   * Shapes `request.user`: a function ({@link ClaimsValidator}), or a class with such a method
   * `validate()` ({@link UserValidator}). With `forRootAsync` it may be written beside `useFactory`.
   *
   * @default the claims themselves
   */
  validate?: ClaimsValidator | Type<UserValidator> | undefined;
}

/** Signs and verifies with one HMAC secret, HS256. @publicApi */
export interface WithSecret {
  /**
   * The HS256 secret, at least 32 random bytes. Anyone who knows it can log in as any user.
   *
   * @example
   * ```ts
   * // node -e "console.log(require('node:crypto').randomBytes(48).toString('base64url'))"
   * const options = { secret: config.getOrThrow('AUTH_SECRET') };
   * ```
   */
  secret: SecretMaterial;
  keys?: undefined;
}

/** Signs and verifies with a ring of keys. @publicApi */
export interface WithKeys {
  /**
   * The key ring, instead of `secret`: a list, or a function that `KeyService.reload()` calls again.
   * The first key that may sign and is not revoked signs; all keys verify. The keys are all HMAC
   * secrets or all key pairs, each with its own `kid`.
   */
  keys: AuthKeySource;
  secret?: undefined;
}

/**
 * What `AuthModule.forRoot()` takes: `issuer`, `audience`, one of `secret` and `keys`, and whatever
 * of {@link AuthSettings} should differ from its default.
 *
 * @throws InvalidAuthOptionsError at boot, with every problem, what was given, and the fix
 *
 * @example
 * ```ts
 * const options: AuthOptions = {
 *   secret: process.env['AUTH_SECRET'] ?? '',
 *   issuer: 'https://auth.example.com',
 *   audience: 'https://api.example.com',
 *   accessTokenTtl: '10m',
 * };
 * ```
 * @publicApi
 */
export type AuthOptions = AuthSettings & (WithSecret | WithKeys);

/**
 * What a class for `forRootAsync({ useClass })` or `useExisting` implements.
 *
 * @example
 * ```ts
 * class AuthConfig implements AuthOptionsFactory {
 *   createAuthOptions(): AuthOptions {
 *     return { secret: readFileSync('/run/secrets/auth'), issuer: 'shop', audience: 'shop-api' };
 *   }
 * }
 * ```
 * @publicApi
 */
export interface AuthOptionsFactory {
  createAuthOptions(): AuthOptions | Promise<AuthOptions>;
}
