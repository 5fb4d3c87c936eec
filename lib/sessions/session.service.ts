import { Injectable, Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { SessionRow } from '../database/session.statements.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { type AuthException, refusal } from '../errors/auth.exception.js';
import { AuthEvents } from '../events/auth-events.service.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { subjectOf } from '../platform/identifier.js';
import { EventKeys } from '../revocation/index/event-key.js';
import { type LogPosition, LogPositions } from '../revocation/log/log-positions.service.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import { RevocationWriter } from '../revocation/revocation-writer.service.js';
import {
  AccessTokenSigner,
  assertFitsCookie,
  claimsOf,
  loginResultOf,
  type SignedAccessToken,
} from './access-token.signer.js';
import {
  type Authenticate,
  type AuthenticatedSubject,
  type LoginContext,
  type LoginResult,
  type LoginSince,
  type RefreshContext,
  sessionLifeOf,
} from './login-context.js';
import { refreshTokenDigest } from './refresh-token.js';
import { RefreshTokenLookup } from './refresh-token-lookup.service.js';
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
import { SessionStore, storedClientOf } from './session-store.service.js';
import { newSession } from './start-session.js';

/**
 * For how long a position is good for a login (ms). The cut-offs of an account are kept for longer, so a
 * login never misses one that revoked its account in the meantime.
 */
const POSITION_LIFE = 3_600_000;

/**
 * Sessions: login, refresh and the list of an account's sessions (docs/requirements.md: RT, RV, S).
 *
 * @publicApi
 */
@Injectable()
export class SessionService {
  private readonly logger = new Logger('SessionService');
  private hasWarned = false;

  constructor(
    private readonly log: RevocationLog,
    private readonly positions: LogPositions,
    private readonly store: SessionStore,
    private readonly refreshTokens: RefreshTokenLookup,
    private readonly refreshes: RefreshService,
    private readonly signer: AccessTokenSigner,
    private readonly writer: RevocationWriter,
    private readonly keys: EventKeys,
    private readonly events: AuthEvents,
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
    return this.authenticate(who, context).catch(this.meter.refused);
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

  private async authenticate(
    who: AuthenticatedSubject | Authenticate,
    context: LoginContext | LoginSince,
  ): Promise<LoginResult | null> {
    if (typeof who === 'function') {
      const since = await this.positions.read();
      const subject = await who();
      if (subject !== null && subject !== undefined) return this.start(subject, since, context);
      const { requestId } = context;
      this.meter.refusals.credentials_invalid++;
      this.events.tell({ type: 'login_refused', reason: 'credentials_invalid', requestId });
      return null;
    }
    if ('since' in context && context.since !== undefined) {
      return this.start(who, context.since, context);
    }
    throw new AuthWiringError(
      'login(subject) was called without the position at which its authority was checked.',
      'Pass a function that checks the password: login(async () => …).',
      'Or take `since = await sessions.position()` before the check: login(subject, { since }).',
    );
  }

  private async start(
    { subject: given, claims }: AuthenticatedSubject,
    since: LogPosition,
    context: LoginContext,
  ): Promise<LoginResult> {
    if (this.positions.databaseNow() - since.now > POSITION_LIFE) {
      throw refusal('storage_unavailable', {
        message: 'The login took too long since its position was read. Log in again.',
      });
    }
    const { claims: loader, maxSessions, refreshTokenTtl, sessionTtl } = this.options;
    const { client, delivery, replaces, requestId, sessionTtl: asked } = context;
    const subject = subjectOf(given, 'sessions.login()');
    const sid = randomUUID();
    const ownClaims =
      claims ?? (await claimsOf(loader, subject, { sessionId: sid, on: 'login', client }));
    if (ownClaims === null) throw this.refuse('account_disabled', subject, context);
    const life = asked === undefined ? sessionTtl : sessionLifeOf(asked, sessionTtl);
    const end = since.now + life;
    // Signed before it is stored: without a signing key, or with bad claims, no session is left over.
    const signed = await this.signer.sign(subject, sid, ownClaims, since, end);
    assertFitsCookie(signed, delivery);
    this.warnOfLostClaims(claims);
    const session = this.sessionRow(subject, sid, since, signed, context, end);
    const token = refreshTokenTtl > 0 ? this.refreshTokens.issue() : undefined;
    const digest = token && refreshTokenDigest(token);
    const outcome = await this.store.writeAtOnce(newSession(session, digest, maxSessions));
    if (outcome === 'locked' || outcome === 'disabled') {
      throw this.refuse(`account_${outcome}`, subject, context);
    }
    // A login that a logout everywhere overtook is revoked, and ends no other session.
    if (outcome !== 'overtaken') {
      // RT-10: and the session that the same browser held before.
      const others = replaces === undefined ? outcome : [...outcome, replaces];
      const why = { reason: 'newer_login', requestId } as const;
      if (others.length > 0) await this.writer.endSessions(others, why);
    }
    this.events.tell({ type: 'login', subject, sessionId: sid, requestId });
    return loginResultOf(signed, session, token, session.idleUntil, since.now);
  }

  /** All times of the row start where its position was read (G2). */
  private sessionRow(
    subject: string,
    sid: string,
    { position, now }: LogPosition,
    signed: SignedAccessToken,
    context: LoginContext,
    end: number,
  ): SessionRow {
    const { issuer, sessionIdleTtl, refreshTokenTtl } = this.options;
    // Without refresh tokens a session lasts as long as its one access token.
    const expiresAt = refreshTokenTtl > 0 ? end : now + signed.expiresIn * 1000;
    const idleTtl = refreshTokenTtl > 0 ? Math.min(refreshTokenTtl, sessionIdleTtl) : Infinity;
    return {
      key: this.keys.hex('session', issuer, sid),
      sid,
      subjectKey: this.keys.hex('subject', issuer, subject),
      subject,
      gen: position,
      kid: signed.kid,
      ...storedClientOf(context),
      delivery: context.delivery ?? 'body',
      createdAt: now,
      lastSeenAt: now,
      idleUntil: Math.min(now + idleTtl, expiresAt),
      expiresAt,
      endedAt: null,
      endReason: null,
      isPersistent: context.persistent !== false,
      retriesUntil: null,
    };
  }

  private refuse(
    reason: 'account_locked' | 'account_disabled',
    subject: string,
    { requestId }: LoginContext,
  ): AuthException {
    this.events.tell({ type: 'login_refused', subject, reason, requestId });
    return refusal(reason);
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
