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
 * What it returns is `request.user`; `null`, `undefined` or `false` refuse the request with a 401.
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
 * Every option but the keys; **the property initialisers are the defaults**, there is no other
 * place. `undefined` means the default; `null` is refused like any wrong type.
 *
 * All options are checked once, at boot; what is wrong stops it with an `InvalidAuthOptionsError`
 * that lists every problem.
 *
 * @publicApi
 */
export interface AuthSettings extends OperationSettings {
  /**
   * The exact `iss` of our tokens (RFC 7519 section 4.1.1), compared byte by byte.
   *
   * Required: without it a token of any other service with the same secret is accepted
   * (RFC 8725 section 3.8).
   */
  issuer: string;

  /**
   * The exact `aud` of our tokens (RFC 7519 section 4.1.3): one string, the name of this API.
   *
   * Required: without it a token made for another API of the same issuer is accepted
   * (RFC 8725 section 3.9).
   */
  audience: string;

  /**
   * How long an access token lives: whole seconds or `'15m'`, from 1 s to 31 days.
   *
   * Every revocation is remembered for as long as its tokens live, so the index grows with it.
   *
   * @default '15m' (900 seconds)
   */
  accessTokenTtl?: Duration | undefined;

  /**
   * How far the host's clock may be off when `exp`, `nbf` and `iat` are judged: seconds, 0 to 60.
   *
   * An expired token is good for this much longer (RFC 7519 section 4.1.4 allows "usually no more
   * than a few minutes"); a revoked one is not.
   *
   * @default 5 (seconds)
   */
  clockTolerance?: Duration | undefined;

  /**
   * The bound of promise P2: for how long another instance may still accept a token after its
   * logout has resolved. Seconds or `'500ms'`, from 0.5 s to 1 h. An instance that cannot prove
   * that it is this fresh answers 503. Smaller means more polls: one every quarter of it.
   *
   * @default 5 (seconds)
   */
  maxStaleness?: Duration | undefined;

  /**
   * How long a request may wait for a new proof of freshness before it gets its 503: seconds or
   * `'250ms'`, 0 (never wait) to 10 s. It lets an instance heal that was paused, without errors.
   *
   * @default '250ms'
   */
  staleWait?: Duration | undefined;

  /**
   * Other issuers whose tokens are checked for revocation; see {@link ForeignIssuerOptions}.
   *
   * @default [] (tokens of other issuers are refused)
   */
  foreign?: readonly ForeignIssuerOptions[] | undefined;

  /**
   * Issuers whose tokens go on being accepted by `assertActive()` and `RevocationGuard` without a
   * `kid` after a key of theirs was revoked: our own `issuer`, or one of `foreign`, by exact name.
   *
   * Whoever holds the revoked key can go on making such tokens. Pass the `kid` instead wherever the
   * tokens have one.
   *
   * @default [] (401 `key_revoked` once a key of the issuer was revoked)
   */
  acceptWithoutKid?: readonly string[] | undefined;

  /**
   * The key of the hashes under which accounts and sessions are in `AuthEvents`, at least 32 random
   * bytes. Without it anyone who reads the events finds an account by trying all account numbers.
   *
   * Keep it as long as the events: a new key gives the same account another hash.
   *
   * @default none: hashes without a key, as before 0.2, and one warning when the first is made
   */
  subjectHashKey?: SecretMaterial | undefined;

  /**
   * Takes over the tokens of the passport recipe until a date; see {@link LegacyOptions}.
   *
   * @default none
   */
  legacy?: LegacyOptions | undefined;

  /**
   * Claims that are named like secrets (`password`, `pin`, `cardNumber`, …) and are signed all the
   * same, by exact name. A token's payload can be read by everyone who holds it.
   *
   * @default []
   */
  allowedClaims?: readonly string[] | undefined;

  /**
   * The database of the log: the name of the application's `DataSource`, that `DataSource`, or
   * options for one. We open our own small pool beside it, so neither can starve the other.
   *
   * @default the application's only `DataSource`; none or several stop the boot
   */
  dataSource?: string | DataSource | DataSourceOptions | undefined;

  /**
   * `'check'` refuses to boot without our tables; `'run'` makes them, for which the database user
   * needs the right to create tables. `'run'` suits development and single instances.
   *
   * @default 'check'
   */
  migrations?: 'check' | 'run' | undefined;

  /**
   * The database schema of our tables: a plain identifier (letters, digits, `_`, at most 63).
   * PostgreSQL only: with any other database it stops the boot.
   *
   * @default the connection's own
   */
  schema?: string | undefined;

  /**
   * What the names of our tables and indexes begin with, where a name is taken or several applications
   * share a database: lower-case letters, digits and `_`, at most 32. Give it to the command
   * (`--table-prefix`) and, with own migrations, to `authTables({ tablePrefix })` too.
   *
   * Another prefix is another, empty log: tokens that were logged out in the old one are accepted again.
   *
   * @default no prefix
   * @example tablePrefix: 'shop_'
   */
  tablePrefix?: string | undefined;

  /**
   * Whether a new, empty log may be started beside an existing one in the same database and schema, as
   * for a second application. Without it that stops the boot: after a changed `tablePrefix` every token
   * that was logged out would be accepted again.
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
   * @default a name of its own for each application, so that two in one process stay apart
   */
  strategyName?: string | undefined;

  /**
   * The metadata key of the application's own `@Public()`, obeyed beside ours: a handler or class
   * that has a true value under it is open to everyone.
   *
   * @default none; only our `@Public()` opens a route
   */
  publicMetadataKey?: string | undefined;

  /**
   * Shapes `request.user`: a function ({@link ClaimsValidator}), or a class with such a method
   * `validate()` ({@link UserValidator}). In `forRootAsync` it may be given beside `useFactory`.
   *
   * @default the claims themselves
   */
  validate?: ClaimsValidator | Type<UserValidator> | undefined;
}

/** Signs and verifies with one HMAC secret, HS256. @publicApi */
export interface WithSecret {
  /**
   * The HS256 secret, at least 32 random bytes; everyone who knows it can be anybody.
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
   * The key ring: the first key that may sign, and is not revoked, signs; all verify. A list, or a
   * function that `KeyService.reload()` calls again. All HMAC or all key pairs, each `kid` once.
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
