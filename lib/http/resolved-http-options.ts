import type { CookieMode } from '../authentication/access-token.reader.js';
import type { ApplicationMethod } from '../options/application-method.js';
import type { GuessLimit } from './guess-limit.js';
import type { TokenClaims } from '../revocation/token-claims.js';
import type { FormerCookie, VerifyCredentials } from './http-options.js';

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
