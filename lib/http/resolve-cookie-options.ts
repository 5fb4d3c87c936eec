import { describeGiven, describeKind, type OptionProblems } from '../options/option-problems.js';
import { readFields } from '../options/option-readers.js';
import type { CookieOptions, FormerCookie } from './http-options.js';
import type { ResolvedCookies } from './resolved-http-options.js';

const NAMES = Object.keys({
  secure: true,
  sameSite: true,
  refreshPath: true,
  origins: true,
  former: true,
  clearSiteData: true,
} satisfies Record<keyof CookieOptions, true>) as (keyof CookieOptions)[];

const FAMILIAR: ReadonlyMap<string, string> = new Map([
  ['httpOnly', 'It is always on.'],
  ['domain', 'There is none: a cookie for a whole domain can be set by every host below it.'],
  ['path', 'Use refreshPath, if it has to be.'],
  ['maxAge', 'It follows refreshTokenTtl.'],
]);

/** A path as it may stand in a cookie, without what would end it. */
const PATH = /^\/[!-:<-~]{0,254}$/;
/** A cookie's name (RFC 6265 section 4.1.1). */
const NAME = /^[!#$%&'*+.^_`|~A-Za-z0-9-]{1,128}$/;
const DOMAIN = /^\.?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/;

/** The option `http.cookies`. */
export function readCookies(given: unknown, problems: OptionProblems): ResolvedCookies | null {
  if (given === undefined || given === false) return null;
  const options = given === true ? {} : given;
  const fields = readFields(options, 'http.cookies', NAMES, FAMILIAR, problems);
  if (fields === null) return null;
  const flag = (name: 'secure' | 'clearSiteData', fallback: boolean): boolean => {
    const value = fields[name] ?? fallback;
    if (typeof value === 'boolean') return value;
    problems.add(`http.cookies.${name}`, describeGiven(value), 'Give true or false.');
    return fallback;
  };
  const secure = flag('secure', true);
  const refreshPath = readPath(fields.refreshPath, problems);
  const ownHost = secure ? '__Host-' : '';
  const ownPath = secure ? '__Secure-' : '';
  return Object.freeze({
    accessName: `${ownHost}access`,
    refreshName: `${refreshPath === '/' ? ownHost : ownPath}refresh`,
    refreshPath,
    secure,
    sameSite: readSameSite(fields.sameSite, problems),
    origins: readOrigins(fields.origins, problems),
    former: readFormer(fields.former, problems),
    clearSiteData: flag('clearSiteData', false),
  });
}

function readSameSite(given: unknown, problems: OptionProblems): 'Strict' | 'Lax' {
  if (given === undefined || given === 'strict') return 'Strict';
  if (given !== 'lax') {
    problems.add('http.cookies.sameSite', describeGiven(given), "Write 'strict' or 'lax'.");
  }
  return 'Lax';
}

function readPath(given: unknown, problems: OptionProblems): string {
  if (given === undefined) return '/';
  if (typeof given === 'string' && PATH.test(given)) return given;
  problems.add(
    'http.cookies.refreshPath',
    describeGiven(given),
    "Give the path as the browser sees it, such as '/api/auth'.",
  );
  return '/';
}

function readOrigins(given: unknown, problems: OptionProblems): ReadonlySet<string> {
  const origins = new Set<string>();
  for (const [index, origin] of listOf(given, 'origins', problems).entries()) {
    const isExact =
      typeof origin === 'string' && URL.canParse(origin) && new URL(origin).origin === origin;
    if (isExact && origin !== 'null') origins.add(origin);
    else {
      problems.add(
        `http.cookies.origins[${index}]`,
        describeGiven(origin),
        "Give scheme, host and port and nothing else, such as 'https://app.example.com'.",
      );
    }
  }
  return origins;
}

function readFormer(given: unknown, problems: OptionProblems): readonly FormerCookie[] {
  return listOf(given, 'former', problems).filter((cookie, index): cookie is FormerCookie => {
    if (isFormerCookie(cookie)) return true;
    problems.add(
      `http.cookies.former[${index}]`,
      describeKind(cookie),
      "Give { name, domain?, path? } as the cookie was set, such as { name: 'jwt', domain: 'example.com' }.",
    );
    return false;
  });
}

function isFormerCookie(given: unknown): given is FormerCookie {
  if (typeof given !== 'object' || given === null) return false;
  const { name, domain, path } = given as Partial<Record<keyof FormerCookie, unknown>>;
  return (
    typeof name === 'string' &&
    NAME.test(name) &&
    (domain === undefined || (typeof domain === 'string' && DOMAIN.test(domain))) &&
    (path === undefined || (typeof path === 'string' && PATH.test(path)))
  );
}

function listOf(
  given: unknown,
  name: 'origins' | 'former',
  problems: OptionProblems,
): readonly unknown[] {
  if (given === undefined) return [];
  if (Array.isArray(given)) return given as readonly unknown[];
  problems.add(`http.cookies.${name}`, describeKind(given), 'Give a list.');
  return [];
}
