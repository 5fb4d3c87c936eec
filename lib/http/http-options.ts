import type { Type } from '@nestjs/common';
import { applicationMethod } from '../options/application-method.js';
import type { Duration } from '../options/duration.js';
import {
  duration,
  option,
  readOptions,
  type Resolved,
  wrong,
  wrongKind,
} from '../options/option-checks.js';
import type { TokenClaims } from '../options/token-claims.js';
import type { AuthenticatedSubject } from '../sessions/login-context.js';
import { type CookieOptions, cookies } from './cookie-options.js';
import type { GuessLimit } from './guess-limit.js';

/** What a user typed. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** A class that checks credentials: a provider of the application, with all that it injects. */
export interface CredentialsVerifier {
  /**
   * Returns the account of these credentials, or `null` if they are wrong. It should take as long for an
   * unknown name as for a wrong password. `request` is that of Express or Fastify.
   */
  verifyCredentials(
    credentials: Credentials,
    request: object,
  ): Promise<AuthenticatedSubject | null> | AuthenticatedSubject | null;
}

/** {@link CredentialsVerifier.verifyCredentials} as a function. */
export type VerifyCredentials = CredentialsVerifier['verifyCredentials'];

/**
 * The library's own routes: below the prefix `POST login` and `confirm` (with `verifyCredentials`), `refresh`,
 * `logout`, `logout-others`, `logout-all`, `revoke` (RFC 7009), `introspect` (RFC 7662), `GET sessions`
 * and `DELETE sessions/:id`; at the root `GET /.well-known/jwks.json`.
 *
 * @example
 * ```ts
 * AuthModule.forRootAsync({
 *   inject: [ConfigService],
 *   useFactory: (config: ConfigService) => ({ … }),
 *   http: { verifyCredentials: UsersVerifier, cookies: true },
 * })
 * ```
 * @publicApi
 */
export interface AuthHttpOptions {
  /**
   * Checks the credentials of `POST login` and `POST confirm`: a function, or a {@link CredentialsVerifier} among the
   * providers of the application, which may inject what AuthModule exports.
   *
   * @default none: these two are not mounted, and the application calls `SessionService.login()`
   * itself (with `AuthCookies.set()` where tokens are in cookies)
   */
  readonly verifyCredentials?: VerifyCredentials | Type<CredentialsVerifier> | undefined;
  /**
   * The path of the routes, without slashes at its ends.
   *
   * @default 'auth'
   */
  readonly prefix?: string | undefined;
  /**
   * Sends the tokens in HttpOnly cookies instead of in bodies; {@link CookieOptions}.
   *
   * @default false
   */
  readonly cookies?: boolean | CookieOptions | undefined;
  /**
   * Limits wrong guesses at `POST login` and `POST confirm`, by account and address together, and wrong tokens at `POST
   * refresh`, by address: 429 `too_many_attempts` with `Retry-After`.
   *
   * A valid refresh token is never refused. In your own routes that check a password, call
   * `limitGuesses` with the same object.
   *
   * @default none: the application or its proxy limits them
   */
  readonly limit?: GuessLimit | undefined;
  /**
   * How long ago a user may have authenticated to see the list of sessions and to end other ones: `GET
   * sessions`, `DELETE sessions/:id` and `POST logout-others` (ASVS 5.0 7.5.2). Seconds or `'10m'`. With an
   * older login they answer 401 `login_too_old`, as {@link RecentLogin} does. `POST confirm` renews it.
   *
   * `POST logout` and `logout-all` never ask.
   *
   * @default any time
   */
  readonly recentLogin?: Duration | undefined;
  /**
   * Whether a caller with these claims may introspect tokens.
   *
   * @default () => false
   */
  readonly mayIntrospect?: ((claims: TokenClaims) => boolean | Promise<boolean>) | undefined;
}

/** The injection token of {@link ResolvedHttpOptions}. */
export const RESOLVED_HTTP_OPTIONS = Symbol('nestjs-logout:resolved-http-options');

const PREFIX = /^[A-Za-z0-9._~-]+(?:\/[A-Za-z0-9._~-]+)*$/;

/** Every option of `http`: name, default, check. The compiler refuses a missing row. */
export const HTTP_OPTIONS = {
  verifyCredentials: option(
    undefined,
    applicationMethod<CredentialsVerifier>(
      'verifyCredentials',
      '({ username, password }, request) => ({ subject }) or null',
    ),
  ),
  prefix: option('auth', prefix),
  cookies: option(false, cookies),
  limit: option(undefined, limit),
  recentLogin: option(undefined, recentLogin),
  mayIntrospect: option(() => false, mayIntrospect),
} satisfies Record<keyof AuthHttpOptions, unknown>;

const FAMILIAR: ReadonlyMap<string, string> = new Map([
  ['validate', 'Use verifyCredentials: ({ username, password }) => ({ subject }) or null.'],
  ['path', 'Use prefix.'],
  ['cookie', 'Use cookies: true.'],
]);

/** The option `http` after its check. */
export type ResolvedHttpOptions = Resolved<typeof HTTP_OPTIONS>;

/**
 * Checks the option `http` when the module is registered: routes have to be known by then.
 *
 * @throws InvalidAuthOptionsError with every problem, what was given, and the fix.
 */
export function resolveHttpOptions(given: AuthHttpOptions): ResolvedHttpOptions {
  return Object.freeze(readOptions(given, 'http', HTTP_OPTIONS, FAMILIAR));
}

function prefix(given: unknown, path: string): string {
  if (typeof given === 'string' && given.length <= 128 && PREFIX.test(given)) return given;
  const fix = "Give a path without slashes at its ends, such as 'auth' or 'account/auth'.";
  throw wrong(path, given, fix);
}

function limit(given: unknown, path: string): GuessLimit | undefined {
  if (given === undefined) return undefined;
  const { take, giveBack } = (given ?? {}) as Partial<Record<keyof GuessLimit, unknown>>;
  if (typeof take === 'function' && typeof giveBack === 'function') return given as GuessLimit;
  throw wrongKind(
    path,
    given,
    'Give an object with take(key), which counts a guess and gives the seconds to wait, and giveBack(key).',
  );
}

function recentLogin(given: unknown, path: string): number | undefined {
  return given === undefined ? undefined : duration('1s', '366d', 'whole seconds')(given, path, {});
}

function mayIntrospect(
  given: unknown,
  path: string,
): (claims: TokenClaims) => boolean | Promise<boolean> {
  if (typeof given === 'function') return given as ReturnType<typeof mayIntrospect>;
  throw wrong(path, given, "Give a function: (claims) => claims['role'] === 'admin'.");
}
