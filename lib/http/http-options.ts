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

/** The user name and the password of a login. @publicApi */
export interface Credentials {
  /** The user name as the client sent it, not empty and not normalized. */
  readonly username: string;
  /** The password, not empty. Do not log it. */
  readonly password: string;
}

/**
 * A provider of the application that checks the credentials of a login.
 *
 * @example
 * ```ts
 * @Injectable()
 * export class UsersVerifier implements CredentialsVerifier {
 *   constructor(private readonly users: UsersService) {}
 *
 *   async verifyCredentials({ username, password }: Credentials) {
 *     const user = await this.users.verify(username, password);
 *     return user && { subject: user.id };
 *   }
 * }
 * ```
 * @publicApi
 */
export interface CredentialsVerifier {
  /**
   * Returns the account of these credentials, or `null` if they are wrong. `request` is the request of
   * Express or Fastify.
   *
   * It should take as long for an unknown name as for a wrong password. Otherwise the time reveals which
   * names exist.
   */
  verifyCredentials(
    credentials: Credentials,
    request: object,
  ): Promise<AuthenticatedSubject | null> | AuthenticatedSubject | null;
}

/** {@link CredentialsVerifier.verifyCredentials} as a function. @publicApi */
export type VerifyCredentials = CredentialsVerifier['verifyCredentials'];

/**
 * The options of the library's own routes. Below the prefix there are `POST login` and `POST confirm` (with
 * `verifyCredentials`), `POST refresh`, `POST logout`, `POST logout-others`, `POST logout-all`, `POST revoke`
 * (RFC 7009), `POST introspect` (RFC 7662), `GET sessions` and `DELETE sessions/:id`. At the root there is
 * `GET /.well-known/jwks.json`.
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
   * Checks the credentials of `POST login` and `POST confirm`: a function, or a {@link CredentialsVerifier}
   * among the providers of the application, which may inject what AuthModule exports.
   *
   * @default none: these two routes are not mounted, and the application calls `SessionService.login()` itself
   * (and `AuthCookies.set()` if tokens are in cookies)
   */
  readonly verifyCredentials?: VerifyCredentials | Type<CredentialsVerifier> | undefined;
  /**
   * The path of the routes, without a slash at the start or the end.
   *
   * @default 'auth'
   */
  readonly prefix?: string | undefined;
  /**
   * Sends the tokens in HttpOnly cookies instead of in bodies; see {@link CookieOptions}.
   *
   * @default false
   */
  readonly cookies?: boolean | CookieOptions | undefined;
  /**
   * Limits wrong passwords at `POST login` and `POST confirm`, by account and address together, and wrong
   * tokens at `POST refresh`, by address: 429 `too_many_attempts` with `Retry-After`.
   *
   * A valid refresh token is never refused. In your own routes that check a password, call
   * `limitGuesses` with the same object.
   *
   * @default none: the application or its proxy must limit them
   */
  readonly limit?: GuessLimit | undefined;
  /**
   * Requires a recent login for `GET sessions`, `DELETE sessions/:id` and `POST logout-others` (ASVS 5.0
   * 7.5.2): seconds or `'10m'`. If the user authenticated longer ago, these routes answer 401
   * `login_too_old`, as {@link RecentLogin} does. `POST confirm` renews the login.
   *
   * `POST logout` and `POST logout-all` never require it.
   *
   * @default none: any login is recent enough
   */
  readonly recentLogin?: Duration | undefined;
  /**
   * Decides whether a caller with these claims may use `POST introspect` (RFC 7662), which shows the claims
   * of any token.
   *
   * @default () => false
   */
  readonly mayIntrospect?: ((claims: TokenClaims) => boolean | Promise<boolean>) | undefined;
}

/** The injection token of {@link ResolvedHttpOptions}. */
export const RESOLVED_HTTP_OPTIONS = Symbol('nestjs-logout:resolved-http-options');

const PREFIX = /^[A-Za-z0-9._~-]+(?:\/[A-Za-z0-9._~-]+)*$/;

/** Every option of `http`, with its default and its check. The compiler reports a missing row. */
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

/** Names from other libraries, with what to write here instead. */
const FAMILIAR: ReadonlyMap<string, string> = new Map([
  ['validate', 'Use verifyCredentials: ({ username, password }) => ({ subject }) or null.'],
  ['path', 'Use prefix.'],
  ['cookie', 'Use cookies: true.'],
]);

/** The checked value of the option `http`. */
export type ResolvedHttpOptions = Resolved<typeof HTTP_OPTIONS>;

/**
 * Checks the option `http` when the module is registered, because Nest needs the routes then.
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
