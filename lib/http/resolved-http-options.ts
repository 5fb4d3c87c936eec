import type { Type } from '@nestjs/common';
import type { CookieMode } from '../authentication/access-token.reader.js';
import type { TokenClaims } from '../revocation/token-claims.js';
import type { CredentialsVerifier, FormerCookie, VerifyCredentials } from './http-options.js';

/** The injection token of {@link ResolvedHttpOptions}. */
export const RESOLVED_HTTP_OPTIONS = Symbol('nestjs-logout:resolved-http-options');

/** The option `cookies` after its check. */
export interface ResolvedCookies extends CookieMode {
  readonly refreshName: string;
  readonly refreshPath: string;
  readonly secure: boolean;
  readonly sameSite: 'Strict' | 'Lax';
  readonly former: readonly FormerCookie[];
  readonly clearSiteData: boolean;
}

/** The option `http` after its check. */
export interface ResolvedHttpOptions {
  readonly verifier: VerifyCredentials | Type<CredentialsVerifier>;
  readonly isVerifierClass: boolean;
  readonly prefix: string;
  readonly cookies: ResolvedCookies | null;
  readonly mayIntrospect: (claims: TokenClaims) => boolean | Promise<boolean>;
}
