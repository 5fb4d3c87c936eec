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
  findPage,
  readListOptions,
  sessionInfoOf,
  type SessionListOptions,
  type SessionPage,
} from './session-list.js';
import { SessionStore } from './session-store.service.js';

/**
 * Sessions: login, refresh and the list of an account's sessions (docs/requirements.md: RT, RV, S).
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
   * The current position of the log, for a login whose password is checked elsewhere (passport-local):
   * read it **before** the check and pass it as `since`.
   *
   * @throws AuthUnavailableException `storage_unavailable` while the database cannot be read.
   */
  position(): Promise<LogPosition> {
    return this.positions.read();
  }

  /**
   * Starts a session. `authenticate` runs after the log's position was read, so a login that was checked
   * against an old password cannot survive the change of that password: its tokens are revoked already.
   *
   * @returns `null` when `authenticate` gave `null`.
   * @throws AuthUnauthorizedException `account_locked`, `account_disabled`; the latter also when the
   * option `claims` gives `null`.
   * @throws AuthUnavailableException `storage_unavailable`, or `no_signing_key` when the ring has no
   * key left that may sign.
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
   * Replaces a refresh token and returns the next pair. Within `refreshGrace` the same token gets the same
   * successor again, with a fresh access token. After that only a retry with the same
   * `idempotencyKey` gets it; any other reuse ends the session (RFC 9700 4.14.2).
   *
   * The option `claims` gives the claims of the new access token. If it throws, nothing is consumed; if
   * it gives `null`, the session ends.
   *
   * @throws AuthUnauthorizedException `refresh_token_invalid`, `refresh_token_expired`,
   * `refresh_token_reused`, `session_ended`, `account_locked` or `account_disabled`.
   * @throws AuthException 400 `idempotency_key_invalid`.
   * @throws AuthTooManyAttemptsException 429 after 20 rotations of the session within the lifetime of one
   * access token. Nothing was consumed.
   * @throws AuthUnavailableException `storage_unavailable`, `no_signing_key`: send the same token again.
   * @throws AuthWiringError when `claims` gives neither an object nor `null`.
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
   * Has the user of a session authenticate again, for routes with `@RecentLogin()` (RFC 9470): the result
   * has a new access token whose `auth_time` is now, and no refresh token. Later refreshes keep that time.
   *
   * The account that `authenticate` gives must be that of the token. If anything fails nothing is changed.
   * The old access token stays valid until it expires, with its older `auth_time`: a copy of it can do no
   * more than before.
   *
   * @param token - The session's access token, or its verified claims (`@CurrentToken()`). Of a token that is
   * bound to its client (option `binding`) pass the claims.
   * @returns `null` when `authenticate` gave `null` or another account.
   * @throws AuthUnauthorizedException `session_ended`, `account_locked`, `account_disabled`; for a text all
   * that `TokenService.verify()` throws; `token_invalid` for a token of no session of ours.
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
   * A page of the account's open sessions, the newest first.
   *
   * It reads few more rows than the page needs: those that have ended and are not deleted yet. So a page
   * can be short, and even empty, and still have a `next`.
   *
   * @throws AuthException 400 `invalid_request` for a limit or a cursor that is not valid.
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
    // What a caller's transaction has ended counts from its commit on (C5).
    await this.log.settlePending();
    const { sessions, next } = await this.store.write((of) => findPage(of, key, after, limit));
    const page = sessions.map(sessionInfoOf);
    return next === undefined ? page : Object.assign(page, { next: cursorOf(next) });
  }

  /** Whether a session is open and belongs to the account; one row is read. @internal */
  async isOpen(subject: string | number | bigint, sessionId: string): Promise<boolean> {
    const { issuer } = this.options;
    const key = this.keys.hex('session', issuer, sessionId);
    const subjectKey = this.keys.hex('subject', issuer, subjectOf(subject, 'isOpen()'));
    await this.log.settlePending();
    return this.store.write((of) => findOpen(of, key, subjectKey));
  }
}
