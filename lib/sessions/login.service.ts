import { Inject, Injectable, Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { type AuthException, refusal } from '../errors/auth.exception.js';
import { newRefreshRow, type RefreshRow, type SessionRow } from '../database/session.statements.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { AuthEvents } from '../events/auth-events.service.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { subjectOf } from '../platform/identifier.js';
import { EventKeys } from '../revocation/index/event-key.js';
import { type LogPosition, LogPositions } from '../revocation/log/log-positions.service.js';
import { RevocationWriter } from '../revocation/revocation-writer.service.js';
import {
  AccessTokenSigner,
  assertFitsCookie,
  type SignedAccessToken,
} from './access-token.signer.js';
import {
  type AuthenticatedSubject,
  cut,
  type LoginContext,
  type LoginResult,
  loginResultOf,
  type LoginSince,
  sessionLifeOf,
  truncateAddress,
} from './login-context.js';
import { RefreshTokenLookup } from './refresh-token-lookup.service.js';
import { refreshTokenDigest } from './refresh-token.js';
import { claimsOf } from './session-claims.js';
import { SessionStore } from './session-store.service.js';

/** Checks the credentials; `null` is a wrong password. */
export type Authenticate = () =>
  Promise<AuthenticatedSubject | null | undefined> | AuthenticatedSubject | null;

/**
 * For how long a position is good for a login (ms). Cut-offs of accounts are kept for longer, so a login
 * never misses one that ended its account in the meantime.
 */
const POSITION_LIFE = 3_600_000;

/** Starts sessions: reads the position, asks for claims, signs, stores, and ends what has to give way. */
@Injectable()
export class LoginService {
  private readonly logger = new Logger('SessionService');
  private hasWarned = false;

  constructor(
    private readonly positions: LogPositions,
    private readonly store: SessionStore,
    private readonly lookup: RefreshTokenLookup,
    private readonly signer: AccessTokenSigner,
    private readonly writer: RevocationWriter,
    private readonly keys: EventKeys,
    private readonly events: AuthEvents,
    private readonly meter: AuthMeter,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {}

  /** See {@link SessionService.login}. */
  async login(
    who: AuthenticatedSubject | Authenticate,
    context: LoginContext | LoginSince,
  ): Promise<LoginResult | null> {
    if (typeof who === 'function') {
      const since = await this.positions.read();
      const subject = await who();
      if (subject !== null && subject !== undefined) return this.begin(subject, since, context);
      const { requestId } = context;
      this.meter.refusals.credentials_invalid++;
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

  private async begin(
    { subject: given, claims }: AuthenticatedSubject,
    since: LogPosition,
    context: LoginContext,
  ): Promise<LoginResult> {
    if (this.positions.databaseNow() - since.now > POSITION_LIFE) {
      throw refusal('storage_unavailable', {
        message: 'The login took too long since its position was read. Log in again.',
      });
    }
    const subject = subjectOf(given, 'sessions.login()');
    const sid = randomUUID();
    const claimsContext = { sessionId: sid, on: 'login', client: context.client } as const;
    const ownClaims = claims ?? (await claimsOf(this.options.claims, subject, claimsContext));
    if (ownClaims === null) throw this.refuse('account_disabled', subject, context);
    const end = since.now + sessionLifeOf(context.sessionTtl, this.options.sessionTtl);
    const signed = await this.signer.sign(subject, sid, ownClaims, since, end);
    assertFitsCookie(signed, context.delivery);
    this.warnOfLostClaims(claims);
    const session = this.sessionRow(subject, sid, since, signed, context, end);
    const token = this.lookup.issue();
    const refresh: RefreshRow | null =
      this.options.refreshTokenTtl > 0
        ? newRefreshRow(refreshTokenDigest(token), session.key, 1, session.idleUntil)
        : null;
    const issuerKey = this.keys.hex('issuer', this.options.issuer, '');
    const limits = this.options.maxSessions;
    const outcome = await this.store.write((of) =>
      of.begin({ session, refresh, issuerKey, limits }),
    );
    if (outcome.kind === 'locked') throw this.refuse('account_locked', subject, context);
    if (outcome.kind === 'disabled') throw this.refuse('account_disabled', subject, context);
    // A login that a logout everywhere overtook is dead, and ends no other session.
    if (outcome.kind === 'begun') await this.endOthers(outcome.surplus, context);
    this.events.tell({ type: 'login', subject, sessionId: sid, requestId: context.requestId });
    return loginResultOf(signed, session, refresh && { token, row: refresh }, since);
  }

  /** Makes the row of a session; all of its times start where its position was read (G2). */
  private sessionRow(
    subject: string,
    sid: string,
    { position, now }: LogPosition,
    signed: SignedAccessToken,
    context: LoginContext,
    end: number,
  ): SessionRow {
    const { issuer, sessionIdleTtl, refreshTokenTtl } = this.options;
    const tokenEnd = now + signed.expiresIn * 1000;
    const isRefreshed = refreshTokenTtl > 0;
    return {
      key: this.keys.hex('session', issuer, sid),
      sid,
      subjectKey: this.keys.hex('subject', issuer, subject),
      subject,
      gen: position,
      kid: signed.kid,
      client: cut(context.client),
      device: cut(context.device),
      ip: truncateAddress(context.ip),
      userAgent: cut(context.userAgent),
      delivery: context.delivery ?? 'body',
      createdAt: now,
      lastSeenAt: now,
      idleUntil: isRefreshed
        ? Math.min(now + Math.min(refreshTokenTtl, sessionIdleTtl), end)
        : tokenEnd,
      expiresAt: isRefreshed ? end : tokenEnd,
      endedAt: null,
      endReason: null,
      isPersistent: context.persistent !== false,
      retriesUntil: null,
    };
  }

  /** Ends the oldest sessions beyond the limit, and the one that the same browser held before (RT-10). */
  private async endOthers(
    surplus: readonly string[],
    { replaces, requestId }: LoginContext,
  ): Promise<void> {
    const sids = replaces === undefined ? surplus : [...surplus, replaces];
    await this.writer.endSessions(sids, { reason: 'newer_login', requestId });
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
