import type { Duration } from './duration.js';
import { duration, exactName, list, option, readOptions, refused, wrong } from './option-checks.js';

/**
 * Another issuer whose tokens `RevocationGuard` and `assertActive()` check.
 *
 * The two lifetimes decide how long the log keeps a revocation of such a token or session. A token with a
 * longer lifetime than `maxTokenLife` is refused, because its revocation would be deleted too early.
 *
 * @example
 * ```ts
 * const foreign: ForeignIssuerOptions[] = [
 *   { issuer: 'https://login.example.com/', maxTokenLife: '1h', maxSessionLife: '30d' },
 * ];
 * ```
 * @publicApi
 */
export interface ForeignIssuerOptions {
  /** The exact `iss` of its tokens (RFC 7519 section 4.1.1). It must differ from the option `issuer`. */
  issuer: string;
  /** The longest `exp - iat` of its tokens: seconds or `'1h'`, from 1 s to 366 days. */
  maxTokenLife: Duration;
  /**
   * The longest time from a login until its last token has expired: seconds or `'30d'`, at least
   * `maxTokenLife`, at most 366 days.
   */
  maxSessionLife: Duration;
  /**
   * The claims that identify a token and its session, if they are not `jti` and `sid`: `{ jti: 'uti' }` for
   * Microsoft Entra ID, `{ sid: 'origin_jti' }` for Amazon Cognito. A token without either is identified by
   * a digest of its claims.
   *
   * @default { jti: 'jti', sid: 'sid' }
   */
  claims?: { jti?: string | undefined; sid?: string | undefined } | undefined;
}

/** A checked entry of the option `foreign`. */
export interface ResolvedForeignIssuer {
  readonly issuer: string;
  /** The longest lifetime of its tokens (ms). A token with a longer one is refused. */
  readonly maxTokenLife: number;
  /** How long the log keeps a revocation of one of its sessions (ms). */
  readonly maxSessionLife: number;
  /** The names of the claims that identify a token and its session. */
  readonly claims: { readonly jti: string; readonly sid: string };
}

const ISSUER = {
  issuer: option(undefined, exactName('https://login.example.com/')),
  // There is a limit, because the log keeps each revocation for this time.
  maxTokenLife: option(undefined, duration('1s', '366d')),
  maxSessionLife: option(undefined, sessionLife),
  claims: option({}, claimNames),
};
const CLAIMS = { jti: option('jti', exactName('uti')), sid: option('sid', exactName('sid')) };
const FAMILIAR: ReadonlyMap<string, string> = new Map([
  ['iss', 'Call it issuer.'],
  ['name', 'Call it issuer.'],
]);

/**
 * Checks the option `foreign`: each issuer once, and never our own. Our own tokens must pass stricter checks,
 * and an entry would let them pass with the weaker ones.
 */
export function foreignIssuers(
  given: unknown,
  path: string,
  { issuer: own }: { readonly issuer: string },
): readonly ResolvedForeignIssuer[] {
  const seen = new Set<string>();
  const read = list<ResolvedForeignIssuer>((one, place) => {
    const issuer = readOptions(one, place, ISSUER, FAMILIAR);
    const { issuer: name } = issuer;
    if (name === own) {
      throw refused(`${place}.issuer`, "the application's own issuer", 'List only other issuers.');
    }
    if (seen.has(name)) {
      throw refused(
        `${place}.issuer`,
        'an issuer that is already in the list',
        'List each issuer once.',
      );
    }
    seen.add(name);
    return Object.freeze(issuer);
  }, 'Give a list of { issuer, maxTokenLife, maxSessionLife, claims }.');
  return read(given, path, {});
}

/** The check of `maxSessionLife`: a session lasts at least as long as its last token. */
function sessionLife(
  given: unknown,
  path: string,
  { maxTokenLife }: { readonly maxTokenLife: number },
): number {
  const life = duration('1s', '366d')(given, path, {});
  // If the check of maxTokenLife has failed, it is undefined, and the comparison is false.
  if (!(life < maxTokenLife)) return life;
  throw wrong(
    path,
    given,
    'Set at least maxTokenLife, because a session lasts until its last token has expired.',
  );
}

function claimNames(given: unknown, path: string): ResolvedForeignIssuer['claims'] {
  const names = readOptions(given, path, CLAIMS);
  if (names.jti !== names.sid) return Object.freeze(names);
  throw wrong(
    path,
    names.jti,
    'Name two different claims: one identifies the token, the other its session.',
  );
}

/** Checks the option `acceptWithoutKid`: only known issuers. */
export function issuersWithoutKid(
  given: unknown,
  path: string,
  {
    issuer,
    foreign = [],
  }: { readonly issuer: string; readonly foreign?: readonly ResolvedForeignIssuer[] },
): readonly string[] {
  const known = [issuer, ...foreign.map((one) => one.issuer)];
  const read = list<string>((one, place) => {
    const found = known.find((name) => name === one);
    if (found !== undefined) return found;
    throw wrong(place, one, 'Use exactly the option issuer, or an issuer in foreign.');
  }, 'Pass a list of issuers.');
  return read(given, path, {});
}
