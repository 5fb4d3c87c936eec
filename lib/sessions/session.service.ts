import { Inject, Injectable } from '@nestjs/common';
import { AuthMeter } from '../events/auth-meter.service.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { subjectOf } from '../platform/identifier.js';
import { EventKeys } from '../revocation/index/event-key.js';
import type { LogPosition } from '../revocation/log/log-positions.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import type {
  AuthenticatedSubject,
  LoginContext,
  LoginResult,
  LoginSince,
  RefreshContext,
} from './login-context.js';
import { type Authenticate, LoginService } from './login.service.js';
import { RefreshService } from './refresh.service.js';
import {
  cursorOf,
  readListOptions,
  sessionInfoOf,
  type SessionListOptions,
  type SessionPage,
} from './session-list.js';
import { SessionStore } from './session-store.service.js';

/**
 * Sessions: a login and its refresh tokens, from the password to the last of them.
 *
 * @publicApi
 */
@Injectable()
export class SessionService {
  constructor(
    private readonly log: RevocationLog,
    private readonly store: SessionStore,
    private readonly logins: LoginService,
    private readonly refreshes: RefreshService,
    private readonly keys: EventKeys,
    private readonly meter: AuthMeter,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * Where the log stands now, for a login whose password somebody else compares (passport-local): take
   * it **before** the comparison and pass it as `since`.
   *
   * @throws AuthUnavailableException `storage_unavailable` while the database cannot be read.
   */
  position(): Promise<LogPosition> {
    return this.log.position();
  }

  /**
   * Logs somebody in: `authenticate` runs after the log's position was read, so that a login checked
   * against an old password cannot survive the change of that password: what it gives is dead then.
   *
   * @returns `null` when `authenticate` gave `null`.
   * @throws AuthUnauthorizedException `account_locked`, `account_disabled`; the latter also when the
   * option `claims` gives `null`.
   * @throws AuthUnavailableException `storage_unavailable`, or `no_signing_key` when the ring has no
   * key left that may sign.
   * @throws AuthException 400 `invalid_subject`.
   * @throws AuthWiringError for claims that look like secrets or that are the library's own, and for a
   * `sessionTtl` that is no duration.
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
    return this.meter.refusalsOf(this.logins.login(who, context));
  }

  /**
   * Takes a refresh token and gives the next pair. Within `refreshGrace` the same token gives the same
   * successor again, with a fresh access token. After that it gives it again only to a retry with the
   * same `idempotencyKey`; any other reuse ends the session (RFC 9700 4.14.2).
   *
   * The option `claims` is asked for the claims of the new access token. What throws consumes nothing;
   * `null` ends the session.
   *
   * @throws AuthUnauthorizedException `refresh_token_invalid`, `refresh_token_expired`,
   * `refresh_token_reused`, `session_ended`, `account_locked` or `account_disabled`.
   * @throws AuthException 400 `idempotency_key_invalid`.
   * @throws AuthTooManyAttemptsException 429 after 20 rotations of the session within the life of one
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
    return this.meter.refusalsOf(this.refreshes.refresh(token, context));
  }

  /**
   * A page of the account's logins that go on, the newest first.
   *
   * Not more rows are read than a page needs, but for a few that are over and not yet deleted; so a page
   * may be short, and even empty, while it has a `next`.
   *
   * @throws AuthException 400 `invalid_request` for a limit or a cursor that cannot be.
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
    const subjectKey = this.keys.hex(
      'subject',
      this.options.issuer,
      subjectOf(subject, 'sessions.list()'),
    );
    const { limit, after } = readListOptions(options);
    // What a caller's transaction has ended counts from its commit on (C5).
    await this.log.settlePending();
    const { sessions, next } = await this.store.write((of) =>
      of.pageOpen(subjectKey, this.issuerKey, after, limit),
    );
    const page = sessions.map(sessionInfoOf);
    return next === undefined ? page : Object.assign(page, { next: cursorOf(next) });
  }

  /** Whether a session is one of the account's that go on; one row is read. @internal */
  async isOpen(subject: string | number | bigint, sessionId: string): Promise<boolean> {
    const { issuer } = this.options;
    const key = this.keys.hex('session', issuer, sessionId);
    const subjectKey = this.keys.hex('subject', issuer, subjectOf(subject, 'isOpen()'));
    await this.log.settlePending();
    return this.store.write((of) => of.isOpen(key, subjectKey, this.issuerKey));
  }

  private get issuerKey(): string {
    return this.keys.hex('issuer', this.options.issuer, '');
  }
}
