import type { Duration } from '../options/duration.js';
import type { LogoutOptions } from '../revocation/revocation-writer.service.js';

/** The options of {@link LogoutService.logout}. */
export interface TokenLogoutOptions extends LogoutOptions {
  /**
   * The encoded token, exactly as it was verified. It is needed for claims that have neither `jti`
   * nor `sid`, except those of `@CurrentToken()`.
   */
  readonly token?: string | undefined;
}

/**
 * The options of {@link LogoutService.logoutSession}, {@link LogoutService.revokeEveryone} and the
 * acts on accounts.
 */
export interface SubjectLogoutOptions extends LogoutOptions {
  /** The issuer of the account's tokens. Default: the option `issuer` of the application. */
  readonly issuer?: string | undefined;
}

/** The options of {@link LogoutService.logoutAll}. */
export interface LogoutAllOptions extends SubjectLogoutOptions {
  /**
   * Also refuses logins for this long, seconds or `'15m'`, for example after a phone was stolen. It cannot be
   * combined with `manager`.
   */
  readonly lockFor?: Duration | undefined;
  /**
   * Revokes only the sessions that logged in with this `client`, such as `'tv'`. It cannot be
   * combined with `manager`, `lockFor` or a foreign issuer.
   */
  readonly client?: string | undefined;
}

/** The options of {@link LogoutService.logoutGrant}, which takes no `manager`. */
export type GrantLogoutOptions = Omit<LogoutOptions, 'manager'>;

/** The options of {@link LogoutService.revokeKey}. */
export interface RevokeKeyOptions extends LogoutOptions {
  /** The issuer of the key. Default: the option `issuer` of the application. */
  readonly issuer?: string | undefined;
  /**
   * Also revokes the sessions whose last access token the key signed. Otherwise they continue with
   * the next key at their next refresh.
   *
   * @default false
   */
  readonly sessions?: boolean | undefined;
}

/** The result of `revokeKey(kid, { dryRun: true })`, which writes nothing. */
export interface KeyRevocationPreview {
  readonly kid: string;
  /** Open sessions whose last access token this key signed. */
  readonly sessions: number;
}
