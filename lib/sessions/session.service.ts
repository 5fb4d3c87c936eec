import { Injectable } from '@nestjs/common';
import { AuthMeter } from '../events/auth-meter.service.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { VerifiedClaims } from '../options/token-claims.js';
import { subjectOf } from '../platform/identifier.js';
import { EventKeys } from '../revocation/index/event-key.js';
import { type LogPosition, LogPositions } from '../revocation/log/log-positions.service.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import { type ConfirmContext, ConfirmService } from './confirm.service.js';
import type {
  Authenticate,
  AuthenticatedSubject,
  LoginContext,
  LoginResult,
  LoginSince,
  RefreshContext,
} from './login-context.js';
import { LoginService } from './login.service.js';
import { RefreshService } from './refresh.service.js';
import {
  cursorOf,
  findOpen,
  findSessions,
  readListOptions,
  sessionInfoOf,
  type SessionListOptions,
  type SessionPage,
} from './session-list.js';
import { SessionStore } from './session-store.service.js';

/**
 * Starts, refreshes, confirms and lists sessions. A session is one login: its access tokens and its
 * refresh token. To revoke sessions, use {@link LogoutService}.
 *
 * Specified in docs/requirements.md, "Access tokens" and "Refresh tokens".
 *
 * @publicApi
 */
@Injectable()
export class SessionService {
  constructor(
    private readonly log: RevocationLog,
    private readonly positions: LogPositions,
    private readonly store: SessionStore,
    private readonly logins: LoginService,
    private readonly refreshes: RefreshService,
    private readonly confirmations: ConfirmService,
    private readonly keys: EventKeys,
    private readonly meter: AuthMeter,
    private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * Returns the current position of the log. If something else checks the password, such as
   * passport-local, call this **before** the check and pass the result to `login()` as `since`. If
   * you call it after the check, a login with the old password can survive a password change.
   *
   * @throws AuthUnavailableException `storage_unavailable` while the database cannot be read.
   */
  position(): Promise<LogPosition> {
    return this.positions.read();
  }

  /**
   * Starts a session. Check the password in `authenticate`: if the account logs out or changes its password
   * while the function runs, the new tokens are revoked from the start.
   *
   * @returns `null` if `authenticate` returned `null`.
   * @throws AuthUnauthorizedException `account_locked`, `account_disabled` (also if the option `claims`
   * returns `null`).
   * @throws AuthUnavailableException `storage_unavailable`, or `no_signing_key` if no key can sign.
   * @throws AuthException 400 `invalid_subject`.
   * @throws AuthWiringError for claims that look like secrets or that the library sets, and for a
   * `sessionTtl` that is not a duration.
   *
   * @example
   * ```ts
   * const login = await this.sessions.login(async () => {
   *   const user = await this.users.verify(name, password);
   *   return user && { subject: user.id, claims: { name: user.name } };
   * });
   * if (login === null) throw new UnauthorizedException();
   * return { access_token: login.accessToken, refresh_token: login.refreshToken };
   * ```
   */
  login(authenticate: Authenticate, context?: LoginContext): Promise<LoginResult | null>;
  login(subject: AuthenticatedSubject, context: LoginSince): Promise<LoginResult>;
  login(
    who: AuthenticatedSubject | Authenticate,
    context: LoginContext | LoginSince = {},
  ): Promise<LoginResult | null> {
    return this.logins.login(who, context).catch(this.meter.refused);
  }

  /**
   * Replaces a refresh token and returns a new pair of tokens. If the same token is used again
   * within `refreshGrace`, the result has the same new refresh token and a new access token. After
   * that only a retry with the same `idempotencyKey` gets it. Any other reuse revokes the session,
   * because the token may have been stolen (RFC 9700 section 4.14.2).
   *
   * The claims of the new access token come from the option `claims`. If that throws, the refresh
   * token is not consumed. If it returns `null`, the session is revoked.
   *
   * @throws AuthUnauthorizedException `refresh_token_invalid`, `refresh_token_expired`,
   * `refresh_token_reused`, `session_ended`, `account_locked` or `account_disabled`.
   * @throws AuthException 400 `idempotency_key_invalid`.
   * @throws AuthTooManyAttemptsException 429 after 20 refreshes of the session within the lifetime
   * of one access token. The refresh token was not consumed.
   * @throws AuthUnavailableException `storage_unavailable`, `no_signing_key`: send the same token
   * again.
   * @throws AuthWiringError if `claims` returns neither an object nor `null`.
   *
   * @example
   * ```ts
   * const { accessToken, refreshToken } = await this.sessions.refresh(body.refresh_token, {
   *   idempotencyKey: request.headers['idempotency-key'],
   * });
   * ```
   */
  refresh(token: string, context: RefreshContext = {}): Promise<LoginResult> {
    return this.refreshes.refresh(token, context).catch(this.meter.refused);
  }

  /**
   * Lets the user of a session authenticate again, for routes with `@RecentLogin()` (RFC 9470). The result has
   * a new access token with the current time as `auth_time`, and no refresh token. Later refreshes keep that
   * time.
   *
   * `authenticate` must return the account of the token. If anything fails, nothing changes. The old access
   * token stays valid until it expires, with its older `auth_time`.
   *
   * @param token - The session's access token, or its verified claims (`@CurrentToken()`). If the token is
   * bound to its client (option `binding`), pass the claims.
   * @returns `null` if `authenticate` returned `null` or another account.
   * @throws AuthUnauthorizedException `session_ended`, `account_locked`, `account_disabled`; `token_invalid`
   * for a token that belongs to no session; for a string, whatever `TokenService.verify()` throws.
   * @throws AuthUnavailableException `storage_unavailable`, `no_signing_key`: confirm again.
   * @throws AuthWiringError as {@link SessionService.login}.
   *
   * @example
   * ```ts
   * const confirmed = await this.sessions.confirm(token, async () => {
   *   const user = await this.users.verify(name, password);
   *   return user && { subject: user.id };
   * });
   * if (confirmed === null) throw new UnauthorizedException();
   * return { access_token: confirmed.accessToken };
   * ```
   */
  confirm(
    token: string | VerifiedClaims,
    authenticate: Authenticate,
    context: ConfirmContext = {},
  ): Promise<LoginResult | null> {
    return this.confirmations.confirm(token, authenticate, context).catch(this.meter.refused);
  }

  /**
   * Returns a page of the account's open sessions, newest first. It does not check who calls it:
   * pass the `sub` of the verified token, or check the caller's permission.
   *
   * A page can be short or even empty and still have a `next`, because sessions that have ended are
   * left out after the page was read.
   *
   * @throws AuthException 400 `invalid_request` for an invalid limit or cursor.
   * @throws AuthUnavailableException `storage_unavailable`.
   *
   * @example
   * ```ts
   * const page = await this.sessions.list(userId, { limit: 20 });
   * const older = page.next && (await this.sessions.list(userId, { limit: 20, after: page.next }));
   * ```
   */
  async list(
    subject: string | number | bigint,
    options: SessionListOptions = {},
  ): Promise<SessionPage> {
    const sub = subjectOf(subject, 'sessions.list()');
    const key = this.keys.hex('subject', this.options.issuer, sub);
    const { limit, after } = readListOptions(options);
    // A session that a caller's transaction revoked counts as revoked from its commit on (C5).
    await this.log.settlePending();
    const found = await this.store.write((of) => findSessions(of, key, after, limit));
    const page = found.page.map(sessionInfoOf);
    return found.next === undefined ? page : Object.assign(page, { next: cursorOf(found.next) });
  }

  /** Whether a session is open and belongs to the account. @internal */
  async isOpen(subject: string | number | bigint, sessionId: string): Promise<boolean> {
    const { issuer } = this.options;
    const key = this.keys.hex('session', issuer, sessionId);
    const subjectKey = this.keys.hex('subject', issuer, subjectOf(subject, 'isOpen()'));
    await this.log.settlePending();
    return this.store.write((of) => findOpen(of, key, subjectKey));
  }
}
