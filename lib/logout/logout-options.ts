import type { Duration } from '../options/duration.js';
import type { LogoutOptions } from '../revocation/revocation-writer.service.js';

/** What {@link LogoutService.logout} takes beside {@link LogoutOptions}. */
export interface TokenLogoutOptions extends LogoutOptions {
  /**
   * Beside claims that have neither `jti` nor `sid`: the text of the token, as it was verified.
   * `@CurrentToken()` needs none.
   */
  readonly token?: string | undefined;
}

/** What the verbs about an account take beside {@link LogoutOptions}. */
export interface SubjectLogoutOptions extends LogoutOptions {
  /** The issuer of the account's tokens. Default: our own. */
  readonly issuer?: string | undefined;
}

/** What {@link LogoutService.logoutAll} takes beside {@link SubjectLogoutOptions}. */
export interface LogoutAllOptions extends SubjectLogoutOptions {
  /**
   * Also refuses logins for so long, seconds or `'15m'`: what a user presses whose phone was
   * stolen. Not together with `manager`.
   */
  readonly lockFor?: Duration | undefined;
  /**
   * Ends only the sessions whose login named this client, such as `'tv'`. Not together with `manager`,
   * `lockFor` or the issuer of others.
   */
  readonly client?: string | undefined;
}

/** What {@link LogoutService.logoutGrant} takes. `manager` is not among it: see there. */
export type GrantLogoutOptions = Omit<LogoutOptions, 'manager'>;

/** What {@link LogoutService.revokeKey} takes beside {@link LogoutOptions}. */
export interface RevokeKeyOptions extends LogoutOptions {
  /** The issuer whose key it is. Default: our own. */
  readonly issuer?: string | undefined;
  /** Also ends the sessions whose last token the key signed; without it they continue with the next key. */
  readonly sessions?: boolean | undefined;
}

/** What revoking a key would affect. */
export interface KeyRevocationPreview {
  readonly kid: string;
  /** Open sessions whose last access token this key signed. */
  readonly sessions: number;
}
