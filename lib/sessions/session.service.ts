import { Inject, Injectable, Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthUnavailableException } from '../errors/auth.exception.js';
import { AuthEvents } from '../events/auth-events.service.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { subjectOf } from '../platform/identifier.js';
import { EventKeys } from '../revocation/index/event-key.js';
import type { LogPosition } from '../revocation/log/log-positions.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import { AccessTokenSigner, assertFitsCookie } from './access-token.signer.js';
import {
  type AuthenticatedSubject,
  type LoginContext,
  type LoginResult,
  type LoginSince,
  type RefreshContext,
  sessionLifeOf,
} from './login-context.js';
import { newSession } from './new-session.js';
import { RefreshTokenLookup } from './refresh-token-lookup.service.js';
import { RefreshService } from './refresh.service.js';
import { claimsOf } from './session-claims.js';
import {
  cursorOf,
  readListOptions,
  sessionInfoOf,
  type SessionListOptions,
  type SessionPage,
} from './session-list.js';
import { refreshRefusal } from './session-refusals.js';
import { SessionStore } from './session-store.service.js';

/** Checks who it is; `null` is a wrong password. */
type Authenticate = () =>
  Promise<AuthenticatedSubject | null | undefined> | AuthenticatedSubject | null;

/**
 * For how long a position is good for a login (ms). Marks are kept for longer, so a login never misses
 * one that ended its account in the meantime.
 */
const POSITION_LIFE = 3_600_000;

/**
 * Sessions: a login and its refresh tokens, from the password to the last of them.
 *
 * @publicApi
 */
@Injectable()
export class SessionService {
  private readonly logger = new Logger('SessionService');
  private hasWarned = false;

  constructor(
    private readonly log: RevocationLog,
    private readonly store: SessionStore,
    private readonly refreshes: RefreshService,
    private readonly lookup: RefreshTokenLookup,
    private readonly signer: AccessTokenSigner,
    private readonly keys: EventKeys,
    private readonly events: AuthEvents,
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
    return this.meter.refusalsOf(this.admit(who, context));
  }

  private async admit(
    who: AuthenticatedSubject | Authenticate,
    context: LoginContext | LoginSince,
  ): Promise<LoginResult | null> {
    if (typeof who === 'function') {
      const since = await this.log.position();
      const subject = await who();
      if (subject !== null && subject !== undefined) return this.begin(subject, since, context);
      const { requestId } = context;
      this.meter.count('refusals', 'credentials_invalid');
      this.events.tell({ type: 'login_refused', reason: 'credentials_invalid', requestId });
      return null;
    }
    const since = 'since' in context ? context.since : undefined;
    if (since === undefined) {
      throw new AuthWiringError(
        'login(subject) was called without the position at which its authority was checked.',
        'Pass a function that checks the password: login(async () => …).',
        'Or take `since = await sessions.position()` before the check: login(subject, { since }).',
      );
    }
    return this.begin(who, since, context);
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

  private async begin(
    { subject: given, claims }: AuthenticatedSubject,
    since: LogPosition,
    context: LoginContext,
  ): Promise<LoginResult> {
    const { requestId } = context;
    if (this.log.databaseNow() - since.now > POSITION_LIFE) {
      throw new AuthUnavailableException(
        'storage_unavailable',
        'The login took too long since its position was read. Log in again.',
      );
    }
    const subject = subjectOf(given, 'sessions.login()');
    const sid = randomUUID();
    const claimsContext = { sessionId: sid, on: 'login', client: context.client } as const;
    const ownClaims = claims ?? (await claimsOf(this.options.claims, subject, claimsContext));
    if (ownClaims === null) {
      const reason = 'account_disabled';
      this.events.tell({ type: 'login_refused', subject, reason, requestId });
      throw refreshRefusal(reason);
    }
    const end = since.now + sessionLifeOf(context.sessionTtl, this.options.sessionTtl);
    const signed = await this.signer.sign(subject, sid, ownClaims, since, end);
    assertFitsCookie(signed, context.delivery);
    this.warnOfLostClaims(claims);
    const { session, refresh, token } = newSession(
      this.options,
      this.keys,
      { subject, sid },
      since,
      signed,
      { context, end },
      this.lookup.issue(),
    );
    const beginning = {
      session,
      refresh,
      issuerKey: this.issuerKey,
      limits: this.options.maxSessions,
    };
    const outcome = await this.store.write((of) => of.begin(beginning));
    if (outcome.kind === 'locked' || outcome.kind === 'disabled') {
      const code = outcome.kind === 'locked' ? 'account_locked' : 'account_disabled';
      this.events.tell({ type: 'login_refused', subject, reason: code, requestId });
      throw refreshRefusal(code);
    }
    // One that was overtaken by a logout everywhere is dead, and ends nobody else's session.
    if (outcome.kind === 'begun') await this.endOthers(outcome.surplus, context);
    this.events.tell({ type: 'login', subject, sessionId: sid, requestId });
    const { text, expiresIn, refreshAt } = signed;
    const login = {
      accessToken: text,
      expiresIn,
      refreshAt,
      sessionId: sid,
      ...(session.isPersistent ? {} : { persistent: false as const }),
    };
    if (token === undefined || refresh === null) return login;
    const refreshExpiresIn = Math.floor((refresh.expiresAt - since.now) / 1000);
    return { ...login, refreshToken: token, refreshExpiresIn };
  }

  /** The oldest beyond the limit, and the one that the same browser held before (RT-10). */
  private async endOthers(
    surplus: readonly string[],
    { replaces, requestId }: LoginContext,
  ): Promise<void> {
    const sids = replaces === undefined ? surplus : [...surplus, replaces];
    if (sids.length === 0) return;
    const { issuer } = this.options;
    await this.log.append(
      sids.map((sid) => ({ kind: 'session', issuer, sid, reason: 'newer_login' }) as const),
    );
    for (const sessionId of sids) {
      this.events.tell({
        type: 'logout',
        sessionId,
        scope: 'session',
        reason: 'newer_login',
        requestId,
      });
    }
  }

  private get issuerKey(): string {
    return this.keys.hex('issuer', this.options.issuer, '');
  }

  private warnOfLostClaims(claims: Readonly<Record<string, unknown>> | undefined): void {
    const { claims: loader, refreshTokenTtl } = this.options;
    if (this.hasWarned || claims === undefined || Object.keys(claims).length === 0) return;
    if (loader !== undefined || refreshTokenTtl === 0) return;
    this.hasWarned = true;
    this.logger.warn(
      'login() brought claims, but refreshed tokens will have none: nothing is copied from an old ' +
        'token. Give AuthModule.forRoot() the option claims: (subject) => ({ … }), or refreshTokenTtl: 0.',
    );
  }
}
