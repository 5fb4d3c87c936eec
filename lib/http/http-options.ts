import type { Type } from '@nestjs/common';
import type { GuessLimit } from './guess-limit.js';
import type { TokenClaims } from '../options/token-claims.js';
import type { AuthenticatedSubject } from '../sessions/login-context.js';

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
 * A cookie that an earlier version set, or another name of this application's before. Where its own
 * cookie is absent it is still read, until its token expires; it is cleared at each login, refresh and
 * logout. Take it off the list when `refreshTokenTtl` has passed: hosts of its `domain` can plant it.
 */
export interface FormerCookie {
  readonly name: string;
  readonly domain?: string | undefined;
  /** @default '/' */
  readonly path?: string | undefined;
}

/** A directive of `Clear-Site-Data` (W3C). */
export type SiteData = 'storage' | 'cache' | 'cookies' | 'clientHints' | 'executionContexts';

/**
 * How tokens stand in cookies. The defaults are what ASVS 5.0 3.3 asks for: `__Host-access` and
 * `__Host-refresh`, `HttpOnly; Secure; SameSite=Strict; Path=/`, without a domain.
 *
 * Both are `__Host-`, because no sibling subdomain can then plant one: somebody else's session, or
 * rubbish that logs people out. The price is `Path=/`: the refresh token travels with every request to
 * this host. A narrow path would be no wall (a page of the same origin reaches every path), and would
 * have to know the global prefix, the version and what a proxy rewrites. Who wants it all the same
 * gives `refreshPath`, and gets `__Secure-refresh`.
 */
export interface CookieOptions {
  /**
   * A name for this application's cookies, so that several on one host (ports and paths keep no cookies
   * apart) leave each other's alone: `'shop'` gives `__Host-shop-access` and `__Host-shop-refresh`. Up to
   * 64 letters, digits, `_` and `-`. To keep all users logged in, list the earlier names under `former`:
   * `{ name: '__Host-access' }` and `{ name: '__Host-refresh' }`.
   *
   * @default none: `__Host-access` and `__Host-refresh`
   */
  readonly name?: string | undefined;
  /**
   * `false` leaves `Secure` and the name's prefix out, so that http://localhost works in every
   * browser: the names are `access` and `refresh`. Never in production.
   *
   * @default true
   */
  readonly secure?: boolean | undefined;
  /** `'lax'` also sends the cookies when somebody follows a link from another site. @default 'strict' */
  readonly sameSite?: 'strict' | 'lax' | undefined;
  /** The path, as the browser sees it, of all routes here: `'/api/auth'`. @default '/' */
  readonly refreshPath?: string | undefined;
  /**
   * Other origins whose pages may act, each exactly as browsers send it: `'https://app.example.com'`,
   * `'tauri://localhost'`, `'capacitor://localhost'`, `'chrome-extension://<id>'`. No wildcards: the boot
   * stops. They need CORS too.
   */
  readonly origins?: readonly string[] | undefined;
  /** Old names, domains and paths: still read, and cleared at each login, refresh and logout. */
  readonly former?: readonly FormerCookie[] | undefined;
  /**
   * A logout also sends `Clear-Site-Data`: `true` means `"storage"`. A list says what else; `'cache'`
   * makes Chromium wait for seconds, and `'cookies'` takes those of the whole site.
   *
   * @default false
   */
  readonly clearSiteData?: boolean | readonly SiteData[] | undefined;
}

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
