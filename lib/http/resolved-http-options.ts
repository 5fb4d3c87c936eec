import type { CookieMode } from '../authentication/token-source.js';
import { ApplicationMethod, isClassWith } from '../options/application-method.js';
import { describeGiven, describeKind, OptionProblems } from '../options/option-problems.js';
import { readFields } from '../options/option-readers.js';
import type { TokenClaims } from '../options/token-claims.js';
import type { GuessLimit } from './guess-limit.js';
import type { AuthHttpOptions, FormerCookie, VerifyCredentials } from './http-options.js';
import { readCookies } from './cookie-options.js';

// Complete by its type: an option that is added and not listed does not compile.
const NAMES = Object.keys({
  verifyCredentials: true,
  prefix: true,
  cookies: true,
  limit: true,
  mayIntrospect: true,
} satisfies Record<keyof AuthHttpOptions, true>) as (keyof AuthHttpOptions)[];

const FAMILIAR: ReadonlyMap<string, string> = new Map([
  ['validate', 'Use verifyCredentials: ({ username, password }) => ({ subject }) or null.'],
  ['path', 'Use prefix.'],
  ['cookie', 'Use cookies: true.'],
]);

const SEGMENT = '[A-Za-z0-9._~-]+';
const PREFIX = new RegExp(`^${SEGMENT}(?:/${SEGMENT})*$`);

/**
 * Checks the option `http` when the module is registered: routes have to be known by then.
 *
 * @throws InvalidAuthOptionsError with every problem, what was given, and the fix.
 */
export function resolveHttpOptions(given: AuthHttpOptions): ResolvedHttpOptions {
  const problems = new OptionProblems();
  const fields = readFields(given, 'http', NAMES, FAMILIAR, problems);
  if (fields === null) throw problems.toError();
  const resolved: ResolvedHttpOptions = {
    verifier: readVerifier(fields.verifyCredentials, problems),
    prefix: readPrefix(fields.prefix, problems),
    cookies: readCookies(fields.cookies, problems),
    limit: readLimit(fields.limit, problems),
    mayIntrospect: readMayIntrospect(fields.mayIntrospect, problems),
  };
  problems.throwIfAny();
  return Object.freeze(resolved);
}

function readVerifier(
  given: unknown,
  problems: OptionProblems,
): VerifyCredentials | ApplicationMethod | undefined {
  if (given === undefined) return undefined;
  const method = 'verifyCredentials';
  if (isClassWith(given, method)) return new ApplicationMethod(`http.${method}`, given, method);
  if (typeof given === 'function') return given as VerifyCredentials;
  problems.add(
    'http.verifyCredentials',
    describeKind(given),
    'Give a function ({ username, password }, request) => ({ subject }) or null, or a class with ' +
      'such a method verifyCredentials() that is a provider of the application.',
  );
  return undefined;
}

function readLimit(given: unknown, problems: OptionProblems): GuessLimit | undefined {
  if (given === undefined) return undefined;
  const { take, giveBack } = (given ?? {}) as Partial<Record<keyof GuessLimit, unknown>>;
  if (typeof take === 'function' && typeof giveBack === 'function') return given as GuessLimit;
  problems.add(
    'http.limit',
    describeKind(given),
    'Give an object with take(key), which counts a guess and gives the seconds to wait, and giveBack(key).',
  );
  return undefined;
}

function readPrefix(given: unknown, problems: OptionProblems): string {
  if (given === undefined) return 'auth';
  if (typeof given === 'string' && given.length <= 128 && PREFIX.test(given)) return given;
  problems.add(
    'http.prefix',
    describeGiven(given),
    "Give a path without slashes at its ends, such as 'auth' or 'account/auth'.",
  );
  return 'auth';
}

function readMayIntrospect(
  given: unknown,
  problems: OptionProblems,
): ResolvedHttpOptions['mayIntrospect'] {
  if (given === undefined) return () => false;
  if (typeof given === 'function') return given as ResolvedHttpOptions['mayIntrospect'];
  problems.add(
    'http.mayIntrospect',
    describeGiven(given),
    "Give a function: (claims) => claims['role'] === 'admin'.",
  );
  return () => false;
}

/** The injection token of {@link ResolvedHttpOptions}. */
export const RESOLVED_HTTP_OPTIONS = Symbol('nestjs-logout:resolved-http-options');

/** The option `cookies` after its check. */
export interface ResolvedCookies extends CookieMode {
  readonly refreshName: string;
  readonly refreshPath: string;
  readonly secure: boolean;
  readonly sameSite: 'Strict' | 'Lax';
  readonly former: readonly FormerCookie[];
  /** The header's value, `undefined` for none. */
  readonly clearSiteData: string | undefined;
}

/** The option `http` after its check. */
export interface ResolvedHttpOptions {
  /** `undefined`: there is no route to log in. */
  readonly verifier: VerifyCredentials | ApplicationMethod | undefined;
  readonly prefix: string;
  readonly cookies: ResolvedCookies | null;
  readonly limit: GuessLimit | undefined;
  readonly mayIntrospect: (claims: TokenClaims) => boolean | Promise<boolean>;
}
