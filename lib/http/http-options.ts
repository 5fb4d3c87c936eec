import type { Type } from '@nestjs/common';
import { applicationCall } from '../options/application-method.js';
import { option, readOptions, type Resolved } from '../options/option-checks.js';
import { describeGiven, describeKind, OptionProblems } from '../options/option-problems.js';
import type { TokenClaims } from '../options/token-claims.js';
import type { AuthenticatedSubject } from '../sessions/login-context.js';
import { type CookieOptions, cookies } from './cookie-options.js';
import type { GuessLimit } from './guess-limit.js';

/** What somebody typed. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** A class that checks credentials: a provider of the application, with all that it injects. */
export interface CredentialsVerifier {
  /**
   * Says whose credentials these are; `null` for nobody's. It should take as long for an unknown name
   * as for a wrong password, and count attempts: `request` is Express' or Fastify's own.
   */
  verifyCredentials(
    credentials: Credentials,
    request: object,
  ): Promise<AuthenticatedSubject | null> | AuthenticatedSubject | null;
}

/** The same as a function. */
export type VerifyCredentials = CredentialsVerifier['verifyCredentials'];

/**
 * The library's own routes: `POST login` (with `verifyCredentials`), `refresh`, `logout`, `logout-others`, `logout-all`, `revoke`
 * (RFC 7009), `introspect` (RFC 7662), `GET sessions`, `DELETE sessions/:id` below the prefix, and
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
   * Checks who logs in by `POST login`: a function, or a class of {@link CredentialsVerifier} that is
   * a provider of the application. It may inject what AuthModule exports.
   *
   * @default none: `POST login` is not mounted, and the application calls `SessionService.login()`
   * itself (with `AuthCookies.set()` where tokens are in cookies)
   */
  readonly verifyCredentials?: VerifyCredentials | Type<CredentialsVerifier> | undefined;
  /** @default 'auth' */
  readonly prefix?: string | undefined;
  /** Hands tokens over in HttpOnly cookies instead of in bodies. @default false */
  readonly cookies?: boolean | CookieOptions | undefined;
  /**
   * Limits wrong guesses at `POST login`, by account and address together, and wrong tokens at `POST
   * refresh`, by address: 429 `too_many_attempts` with `Retry-After`. A right refresh token is never
   * refused. For own routes that check a password call `limitGuesses` with the same object.
   *
   * @default none: the application or its proxy limits them
   */
  readonly limit?: GuessLimit | undefined;
  /** Who may introspect tokens, by the claims of the caller's own. @default nobody */
  readonly mayIntrospect?: ((claims: TokenClaims) => boolean | Promise<boolean>) | undefined;
}

/** The injection token of {@link ResolvedHttpOptions}. */
export const RESOLVED_HTTP_OPTIONS = Symbol('nestjs-logout:resolved-http-options');

const PREFIX = /^[A-Za-z0-9._~-]+(?:\/[A-Za-z0-9._~-]+)*$/;

/** Every option of `http`: name, default, check. The compiler refuses a missing row. */
const HTTP_OPTIONS = {
  verifyCredentials: option(
    undefined,
    applicationCall<VerifyCredentials>(
      'verifyCredentials',
      '({ username, password }, request) => ({ subject }) or null',
    ),
  ),
  prefix: option('auth', prefix),
  cookies: option(false, cookies),
  limit: option(undefined, limit),
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
  const problems = new OptionProblems();
  const values = readOptions(given, 'http', HTTP_OPTIONS, FAMILIAR, problems);
  if (values === null) throw problems.toError();
  problems.throwIfAny();
  return Object.freeze(values);
}

function prefix(given: unknown, path: string, problems: OptionProblems): string {
  if (typeof given === 'string' && given.length <= 128 && PREFIX.test(given)) return given;
  problems.add(
    path,
    describeGiven(given),
    "Give a path without slashes at its ends, such as 'auth' or 'account/auth'.",
  );
  return 'auth';
}

function limit(given: unknown, path: string, problems: OptionProblems): GuessLimit | undefined {
  if (given === undefined) return undefined;
  const { take, giveBack } = (given ?? {}) as Partial<Record<keyof GuessLimit, unknown>>;
  if (typeof take === 'function' && typeof giveBack === 'function') return given as GuessLimit;
  problems.add(
    path,
    describeKind(given),
    'Give an object with take(key), which counts a guess and gives the seconds to wait, and giveBack(key).',
  );
  return undefined;
}

function mayIntrospect(
  given: unknown,
  path: string,
  problems: OptionProblems,
): (claims: TokenClaims) => boolean | Promise<boolean> {
  if (typeof given === 'function') return given as ReturnType<typeof mayIntrospect>;
  problems.add(
    path,
    describeGiven(given),
    "Give a function: (claims) => claims['role'] === 'admin'.",
  );
  return () => false;
}
