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
 * Returns `request.user`, or a promise of it, for verified claims, like `validate()` in the passport
 * recipe. It runs after signature, claims and revocation were checked.
 *
 * `null`, `undefined` and `false` refuse the request with a 401. Errors that it throws are passed on.
 * Keep it fast: it runs at every request.
 *
 * @example
 * ```ts
 * const validate: ClaimsValidator = (claims) => ({ id: claims.sub, name: claims['name'] });
 * ```
 * @publicApi
 */
// The type of a method, because TypeScript allows narrower parameters only there: an application can write
// `(claims: MyClaims, request: Request) => …` without a cast.
export type ClaimsValidator = ShapesTheUser['validate'];

/**
 * A provider whose method `validate()` returns `request.user`. It may inject what AuthModule exports.
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
 * All options are checked once, at boot. If some are wrong, the boot stops with an
 * `InvalidAuthOptionsError` that lists every problem.
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
   * Each instance keeps every revocation in memory for this lifetime, so a longer one needs more memory.
   *
   * @default '15m' (900 seconds)
   */
  accessTokenTtl?: Duration | undefined;

  /**
   * How far the clocks of hosts may differ when `exp`, `nbf` and `iat` are checked: seconds, 0 to 60.
   *
   * An expired token is accepted for this much longer (RFC 7519 section 4.1.4 allows "usually no more
   * than a few minutes"). A revoked token is not.
   *
   * @default 5 (seconds)
   */
  clockTolerance?: Duration | undefined;

  /**
   * How long another instance may still accept a token after its logout has resolved: seconds or
   * `'500ms'`, from 0.5 s to 1 h.
   *
   * An instance polls the log four times in this period, so a smaller value means more polls. An instance
   * without a successful poll in this period answers 503.
   *
   * @default 5 (seconds)
   */
  maxStaleness?: Duration | undefined;

  /**
   * How long a request may wait for a poll before it gets 503, if the last poll is too old: seconds or
   * `'250ms'`, 0 (never wait) to 10 s. The wait lets an instance that was paused recover without errors.
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
   * after one of their keys was revoked. Each is the option `issuer` or an issuer in `foreign`.
   *
   * Anyone who has the revoked key can still forge such tokens. If the tokens have a `kid`, pass it to
   * `assertActive()` instead.
   *
   * @default [] (401 `key_revoked` once a key of the issuer was revoked)
   */
  acceptWithoutKid?: readonly string[] | undefined;

  /**
   * The key of the HMACs that replace account and session ids in `AuthEvents`, at least 32 random bytes.
   * Without it, anyone who reads the events can find an account by hashing all account ids.
   *
   * Keep the key as long as the events: with a new key the same account has another hash.
   *
   * @default none: hashes without a key, and a warning at the first event
   */
  subjectHashKey?: SecretMaterial | undefined;

  /**
   * Accepts the tokens of the passport recipe until a date; see {@link LegacyOptions}.
   *
   * @default none
   */
  legacy?: LegacyOptions | undefined;

  /**
   * Exact names of claims that are allowed in a token although they look like secrets (`password`, `pin`,
   * `cardNumber`, …). Anyone who has a token can read its payload.
   *
   * @default []
   */
  allowedClaims?: readonly string[] | undefined;

  /**
   * The database of the log: the name of a `DataSource` of the application, the `DataSource` itself, or
   * options for one. The library always opens its own connections.
   *
   * @default the application's only `DataSource`; none or several stop the boot
   */
  dataSource?: string | DataSource | DataSourceOptions | undefined;

  /**
   * `'check'` stops the boot if the tables are missing. `'run'` creates them, so the database user needs
   * the privilege to create tables.
   *
   * @default 'check'
   */
  migrations?: 'check' | 'run' | undefined;

  /**
   * The database schema of the library's tables: a plain identifier (letters, digits, `_`, at most
   * 63). PostgreSQL only: with any other database it stops the boot.
   *
   * @default the default schema of the connection
   */
  schema?: string | undefined;

  /**
   * A prefix for the names of the library's tables and indexes: lower-case letters, digits and `_`, at
   * most 32. Use it if a name is taken, or if several applications share a database.
   *
   * Pass the same prefix to the command (`--table-prefix`) and, if you run the migrations yourself, to
   * `authTables({ tablePrefix })`. Do not change it later: a new prefix starts a new, empty log, which
   * would accept tokens that were logged out.
   *
   * @default no prefix
   * @example tablePrefix: 'shop_'
   */
  tablePrefix?: string | undefined;

  /**
   * Allows a second application to start its own log in a schema that already has one. Otherwise a new, empty
   * log stops the boot there: after a change of `tablePrefix` it would accept tokens that were logged out.
   *
   * @default false
   */
  newLog?: boolean | undefined;

  /**
   * How long the boot waits until the log is loaded: seconds or `'10s'`, 0 to 10 minutes. After that the
   * application starts, and every guarded route answers 503 until the log is loaded.
   *
   * @default '10s'
   */
  bootTimeout?: Duration | undefined;

  /**
   * Registers the strategy with passport under this name, for `AuthGuard('name')`. A name that is already
   * registered stops the boot; passport itself uses `'session'`.
   *
   * @default none: the strategy is not registered, and JwtAuthGuard does not need it to be
   */
  strategyName?: string | undefined;

  /**
   * The metadata key of your own `@Public()` decorator. A handler or class with a truthy value under this
   * key needs no token.
   *
   * @default none: only the `@Public()` of this library makes a route public
   */
  publicMetadataKey?: string | undefined;

  /**
   * Returns `request.user`: a function ({@link ClaimsValidator}), or a class ({@link UserValidator}). With
   * `forRootAsync` you may set it beside `useFactory`.
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
   * @default required, unless `keys` is set
   */
  secret: SecretMaterial;
  keys?: undefined;
}

/** Signs and verifies with a ring of keys. @publicApi */
export interface WithKeys {
  /**
   * The signing and verifying keys, instead of `secret`: a list, or a function that `KeyService.reload()`
   * calls again. The first key that can sign and is not revoked signs; all keys verify. The keys are all
   * HMAC secrets or all key pairs, each with its own `kid`.
   *
   * @default required, unless `secret` is set
   */
  keys: AuthKeySource;
  secret?: undefined;
}

/**
 * The options of `AuthModule.forRoot()`: {@link AuthSettings}, and one of `secret` and `keys`.
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
 * The interface of a class for `forRootAsync({ useClass })` or `useExisting`.
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
