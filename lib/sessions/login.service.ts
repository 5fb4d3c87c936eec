import { Inject, Injectable, Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { BoundClient } from '../binding/bound-client.js';
import { TOKEN_BINDING, type TokenBinding } from '../binding/token-binding.js';
import type { SessionRow } from '../database/session.statements.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { type AuthException, refusal, type RefusalDetails } from '../errors/auth.exception.js';
import { AuthEvents } from '../events/auth-events.service.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { subjectOf } from '../platform/identifier.js';
import { EventKeys } from '../revocation/index/event-key.js';
import { type LogPosition, LogPositions } from '../revocation/log/log-positions.service.js';
import { RevocationWriter } from '../revocation/revocation-writer.service.js';
import { AccessTokenSigner, loginResultOf, type SignedAccessToken } from './access-token.signer.js';
import {
  type Authenticate,
  type AuthenticatedSubject,
  lifetimesOf,
  type LoginContext,
  type LoginLifetimes,
  type LoginResult,
  type LoginSince,
} from './login-context.js';
import { refreshTokenDigest } from './refresh-token.js';
import { RefreshTokenLookup } from './refresh-token-lookup.service.js';
import { grantOf, overtakenBy } from './session-scope.js';
import { SessionStore, storedClientOf } from './session-store.service.js';
import { newSession } from './start-session.js';

/**
 * How long a position may be used for a login (ms). The cut-offs of an account are kept for longer,
 * so a login never misses one that revoked its account meanwhile.
 */
const POSITION_LIFE = 3_600_000;

const OVERTAKEN = 'The client or the grant was logged out during this login. Log in again.';

/**
 * Checks that a position is at most one hour old.
 *
 * @throws AuthUnavailableException `storage_unavailable` if it is older.
 */
export function assertCurrent(since: LogPosition, now: number): void {
  if (now - since.now <= POSITION_LIFE) return;
  throw refusal('storage_unavailable', {
    message: 'The login took too long. Log in again.',
  });
}

/**
 * Starts sessions. Specified in docs/requirements.md, "Refresh tokens", and docs/protocol.md, G1
 * and G2.
 */
@Injectable()
export class LoginService {
  private readonly logger = new Logger('SessionService');
  private hasWarned = false;

  constructor(
    private readonly positions: LogPositions,
    private readonly store: SessionStore,
    private readonly refreshTokens: RefreshTokenLookup,
    private readonly signer: AccessTokenSigner,
    private readonly writer: RevocationWriter,
    private readonly keys: EventKeys,
    private readonly events: AuthEvents,
    private readonly meter: AuthMeter,
    private readonly options: ResolvedAuthOptions,
    @Inject(TOKEN_BINDING) private readonly binding: TokenBinding | null,
  ) {}

  /** See {@link SessionService.login}. */
  async login(
    who: AuthenticatedSubject | Authenticate,
    context: LoginContext | LoginSince,
  ): Promise<LoginResult | null> {
    // The binding is checked before the password, so a client that cannot be bound learns nothing
    // about the password.
    const bound = this.binding?.ofLogin(context, await this.binding.proveKey(context));
    if (typeof who === 'function') {
      const since = await this.positions.read();
      const subject = await who();
      if (subject !== null && subject !== undefined)
        return this.start(subject, since, context, bound);
      const { requestId } = context;
      this.meter.refusals.credentials_invalid++;
      this.events.tell({ type: 'login_refused', reason: 'credentials_invalid', requestId });
      return null;
    }
    if ('since' in context && context.since !== undefined) {
      return this.start(who, context.since, context, bound);
    }
    throw new AuthWiringError(
      'login(subject) was called without the position of the log at which you checked the credentials.',
      'Pass a function that checks the password: login(async () => …).',
      'Or call `since = await sessions.position()` before the check: login(subject, { since }).',
    );
  }

  private async start(
    { subject: given, claims }: AuthenticatedSubject,
    since: LogPosition,
    context: LoginContext,
    bound: BoundClient | undefined,
  ): Promise<LoginResult> {
    assertCurrent(since, this.positions.databaseNow());
    const { replaces, requestId } = context;
    const subject = subjectOf(given, 'sessions.login()');
    const sid = randomUUID();
    const row = this.sessionRow(subject, sid, since, context);
    // The token is signed before the session is stored, so that a missing key or invalid claims
    // leave no session behind.
    const signed = await this.signer.sign(row, since, bound, 'login', claims);
    if (signed === null) throw this.refuse('account_disabled', subject, context);
    this.warnOfLostClaims(claims);
    const hasRefresh = row.idleUntil > since.now;
    const session = signedRow(row, signed, hasRefresh);
    const token = hasRefresh ? this.refreshTokens.issue() : undefined;
    const digest = token && refreshTokenDigest(token);
    const outcome = await this.store.writeAtOnce(
      newSession(session, digest, this.options.maxSessions),
    );
    if (outcome === 'locked' || outcome === 'disabled') {
      throw this.refuse(`account_${outcome}`, subject, context);
    }
    // If a logout everywhere came after the position was read, this login is revoked from the
    // start. It must not revoke other sessions.
    if (outcome !== 'overtaken') {
      if (session.client !== null || session.grantId !== null) {
        await this.refuseOvertaken(session, context);
      }
      // The session that the same browser had before is revoked too (RT-10).
      const others = replaces === undefined ? outcome : [...outcome, replaces];
      const why = { reason: 'newer_login', requestId } as const;
      if (others.length > 0) await this.writer.endSessions(others, why);
    }
    this.events.tell({ type: 'login', subject, sessionId: sid, requestId });
    return loginResultOf(signed, session, token, session.idleUntil, this.positions.databaseNow());
  }

  /**
   * The row of a new session. All its times start at the time of its position (G2). Without refresh
   * tokens `idleUntil` is not after that time.
   */
  private sessionRow(
    subject: string,
    sid: string,
    { position, now }: LogPosition,
    context: LoginContext,
  ): UnsignedRow {
    const { issuer, sessionTtl, sessionIdleTtl, refreshTokenTtl } = this.options;
    const client = storedClientOf(context);
    const own = this.ownLifetimes(client.client, context);
    const expiresAt = now + (own?.sessionTtl ?? sessionTtl);
    const idleTtl = own?.idleTtl ?? Math.min(refreshTokenTtl, sessionIdleTtl);
    return {
      key: this.keys.hex('session', issuer, sid),
      sid,
      subjectKey: this.keys.hex('subject', issuer, subject),
      subject,
      gen: position,
      ...client,
      grantId: context.grant === undefined ? null : grantOf(context.grant, 'sessions.login()'),
      delivery: context.delivery ?? 'body',
      createdAt: now,
      authTime: now,
      lastSeenAt: now,
      idleUntil: Math.min(now + idleTtl, expiresAt),
      expiresAt,
      endedAt: null,
      endReason: null,
      isPersistent: context.persistent !== false,
      retriesUntil: null,
      accessTtl: own?.accessTtl ?? null,
      idleTtl: own?.storedIdleTtl ?? null,
    };
  }

  /**
   * Refuses the login if its client or grant was logged out while the credentials were checked
   * (G1). The session is revoked, and its tokens are not returned.
   */
  private async refuseOvertaken(session: SessionRow, context: LoginContext): Promise<void> {
    const reason = await overtakenBy(this.store, this.keys, session);
    if (reason === undefined) return;
    const { subject, sid } = session;
    await this.writer.endSessions([sid], { reason, subject, requestId: context.requestId });
    throw this.refuse('session_ended', subject, context, { reason, message: OVERTAKEN });
  }

  /**
   * The lifetimes of this login. `undefined` if those of the options apply, so that none are
   * stored.
   */
  private ownLifetimes(client: string | null, context: LoginContext): LoginLifetimes | undefined {
    const { sessionTtl, sessionIdleTtl, refreshTokenTtl, accessTokenTtl } = context;
    const asked = sessionTtl ?? sessionIdleTtl ?? refreshTokenTtl ?? accessTokenTtl;
    if (asked === undefined && this.options.lifetimes === undefined) return undefined;
    return lifetimesOf(client, context, this.options);
  }

  private refuse(
    code: 'account_locked' | 'account_disabled' | 'session_ended',
    subject: string,
    { requestId }: LoginContext,
    details?: RefusalDetails,
  ): AuthException {
    this.events.tell({ type: 'login_refused', subject, reason: code, requestId });
    return refusal(code, details);
  }

  private warnOfLostClaims(claims: Readonly<Record<string, unknown>> | undefined): void {
    const { claims: loader, refreshTokenTtl } = this.options;
    if (this.hasWarned || claims === undefined || Object.keys(claims).length === 0) return;
    if (loader !== undefined || refreshTokenTtl === 0) return;
    this.hasWarned = true;
    this.logger.warn(
      'login() was called with claims, but refreshed tokens will have none: no claims are copied from an old ' +
        'token. Set the option claims: (subject) => ({ … }) in AuthModule.forRoot(), or refreshTokenTtl: 0.',
    );
  }
}

type UnsignedRow = Omit<SessionRow, 'kid' | 'jkt' | 'network'>;

/**
 * The row with the values of its first access token. Without refresh tokens the session expires
 * with that token.
 */
function signedRow(
  unsigned: UnsignedRow,
  { kid, expiresIn, bound }: SignedAccessToken,
  hasRefresh: boolean,
): SessionRow {
  const row = { ...unsigned, kid, jkt: bound?.jkt ?? null, network: bound?.network ?? null };
  if (hasRefresh) return row;
  const expiresAt = row.createdAt + expiresIn * 1000;
  return { ...row, idleUntil: expiresAt, expiresAt };
}
