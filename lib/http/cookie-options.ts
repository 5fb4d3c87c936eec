import { describeGiven, describeKind, type OptionProblems } from '../options/option-problems.js';
import { readFields } from '../options/option-readers.js';
import type { CookieOptions, FormerCookie, SiteData } from './http-options.js';
import type { ResolvedCookies } from './resolved-http-options.js';

const NAMES = Object.keys({
  name: true,
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
const OWN_NAME = /^[A-Za-z0-9_-]{1,64}$/;
const SITE_DATA: readonly SiteData[] = [
  'storage',
  'cache',
  'cookies',
  'clientHints',
  'executionContexts',
];
/** An origin of a scheme that is not the web's, as browsers and WebViews send it. */
const CUSTOM_ORIGIN = /^(?!https?:)[a-z][a-z0-9+.-]*:\/\/[A-Za-z0-9._~-]+(?::\d{1,5})?$/;
const DOMAIN = /^\.?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/;

/** The option `http.cookies`. */
export function readCookies(given: unknown, problems: OptionProblems): ResolvedCookies | null {
  if (given === undefined || given === false) return null;
  const options = given === true ? {} : given;
  const fields = readFields(options, 'http.cookies', NAMES, FAMILIAR, problems);
  if (fields === null) return null;
  const secure = readSecure(fields.secure, problems);
  const name = readName(fields.name, problems);
  const refreshPath = readPath(fields.refreshPath, problems);
  const ownHost = secure ? '__Host-' : '';
  const ownPath = secure ? '__Secure-' : '';
  const former = readFormer(fields.former, problems);
  return Object.freeze({
    accessName: `${ownHost}${name}access`,
    refreshName: `${refreshPath === '/' ? ownHost : ownPath}${name}refresh`,
    formerNames: former.map((cookie) => cookie.name),
    refreshPath,
    secure,
    sameSite: readSameSite(fields.sameSite, problems),
    origins: readOrigins(fields.origins, problems),
    former,
    clearSiteData: readSiteData(fields.clearSiteData, problems),
  });
}

function readSecure(given: unknown, problems: OptionProblems): boolean {
  if (given === undefined || typeof given === 'boolean') return given ?? true;
  problems.add('http.cookies.secure', describeGiven(given), 'Give true or false.');
  return true;
}

/** What stands in front of `access` and `refresh`. */
function readName(given: unknown, problems: OptionProblems): string {
  if (given === undefined) return '';
  if (typeof given === 'string' && OWN_NAME.test(given) && !given.startsWith('__'))
    return `${given}-`;
  problems.add(
    'http.cookies.name',
    describeGiven(given),
    "Give up to 64 letters, digits, _ and -, such as 'shop'; the prefix __Host- is added.",
  );
  return '';
}

function readSiteData(given: unknown, problems: OptionProblems): string | undefined {
  if (given === undefined || given === false) return undefined;
  const list: readonly unknown[] = given === true ? ['storage'] : Array.isArray(given) ? given : [];
  if (list.length > 0 && list.every((each) => SITE_DATA.includes(each as SiteData))) {
    return list.map((each) => `"${String(each)}"`).join(', ');
  }
  problems.add(
    'http.cookies.clearSiteData',
    describeGiven(given),
    `Give true, false, or a list of ${SITE_DATA.map((each) => `'${each}'`).join(', ')}.`,
  );
  return undefined;
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
      typeof origin === 'string' &&
      !origin.includes('*') &&
      (CUSTOM_ORIGIN.test(origin) || (URL.canParse(origin) && new URL(origin).origin === origin));
    if (isExact && origin !== 'null') origins.add(origin);
    else {
      problems.add(
        `http.cookies.origins[${index}]`,
        describeGiven(origin),
        "Give scheme, host and port and nothing else, such as 'https://app.example.com' or " +
          "'tauri://localhost'. There are no wildcards: list each origin.",
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
