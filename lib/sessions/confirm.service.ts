import { Inject, Injectable } from '@nestjs/common';
import { TokenService } from '../authentication/token.service.js';
import { TOKEN_BINDING, type TokenBinding } from '../binding/token-binding.js';
import { writeEach } from '../database/at-once.statements.js';
import type { Delivery } from '../database/entities/auth-session.entity.js';
import type { RevocationReason } from '../database/entities/revocation-event.entity.js';
import { sessionOf, type SessionRow } from '../database/session.statements.js';
import type { Transaction } from '../database/statement.js';
import { type AuthException, refusal } from '../errors/auth.exception.js';
import { AuthEvents } from '../events/auth-events.service.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { VerifiedClaims } from '../options/token-claims.js';
import { isIdentifier, subjectOf } from '../platform/identifier.js';
import { EventKeys } from '../revocation/index/event-key.js';
import { RevocationIndex } from '../revocation/index/revocation-index.js';
import { type LogPosition, LogPositions } from '../revocation/log/log-positions.service.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import { AccessTokenSigner, loginResultOf, type SignedAccessToken } from './access-token.signer.js';
import type { Authenticate, AuthenticatedSubject, LoginResult } from './login-context.js';
import { assertCurrent } from './login.service.js';
import { newestCutoff } from './rotate.js';
import { endOf, refusalOf, SessionStore, type StoredSessions } from './session-store.service.js';

/** The options of {@link SessionService.confirm}. @publicApi */
export interface ConfirmContext {
  /**
   * How the new access token is delivered. It must be the delivery of the login, otherwise the call
   * is refused with `token_invalid`.
   *
   * @default the delivery of the login
   */
  readonly delivery?: Delivery | undefined;
  /** The IP address of the client. The option `binding.ip` needs it. */
  readonly ip?: string | undefined;
  /** The id of the request, for the audit. */
  readonly requestId?: string | undefined;
}

/** The session that the token claims to belong to. It may not exist. */
type Confirmed = Pick<SessionRow, 'subject' | 'sid'>;

/** The outcome of a confirmation: confirmed, or why nothing was changed. */
type ConfirmOutcome =
  | { readonly kind: 'confirmed' | 'locked' | 'disabled' | 'superseded' }
  | { readonly kind: 'ended'; readonly reason: RevocationReason };

/** Renews the time of authentication of an open session: step-up authentication (RFC 9470). */
@Injectable()
export class ConfirmService {
  constructor(
    private readonly log: RevocationLog,
    private readonly positions: LogPositions,
    private readonly store: SessionStore,
    private readonly tokens: TokenService,
    private readonly signer: AccessTokenSigner,
    private readonly index: RevocationIndex,
    private readonly keys: EventKeys,
    private readonly events: AuthEvents,
    private readonly meter: AuthMeter,
    private readonly options: ResolvedAuthOptions,
    @Inject(TOKEN_BINDING) private readonly binding: TokenBinding | null,
  ) {}

  /** See {@link SessionService.confirm}. */
  async confirm(
    token: string | VerifiedClaims,
    authenticate: Authenticate,
    context: ConfirmContext,
  ): Promise<LoginResult | null> {
    const { iss, sub, sid } = typeof token === 'string' ? await this.tokens.verify(token) : token;
    if (iss !== this.options.issuer || !isIdentifier(sub) || !isIdentifier(sid)) {
      throw refusal('token_invalid', {
        message: 'The token belongs to no session of this application.',
      });
    }
    // The position is read before the password is compared, as at a login. If the password changes
    // meanwhile, that event revokes the new token (G1).
    const since = await this.positions.read();
    const who = await authenticate();
    // The password of another account must not confirm this session.
    const isSame = who && subjectOf(who.subject, 'sessions.confirm()') === sub;
    if (!isSame) {
      this.meter.refusals.credentials_invalid++;
      this.tell('login_refused', { subject: sub, sid }, context, 'credentials_invalid');
      return null;
    }
    assertCurrent(since, this.positions.databaseNow());
    const session = await this.find(sub, sid);
    if (session === undefined) throw this.refuse('session_ended', { subject: sub, sid }, context);
    const signed = await this.sign(session, since, who.claims, context);
    await this.renew(session, since, signed, context);
    const now = this.positions.databaseNow();
    const result = loginResultOf(signed, session, undefined, session.idleUntil, now);
    // There is no new refresh token. The access cookie lasts as long as the existing refresh
    // cookie.
    return { ...result, refreshExpiresIn: result.idleExpiresIn };
  }

  /**
   * Signs the token before anything is written, so that a missing key or invalid claims change
   * nothing.
   */
  private async sign(
    session: SessionRow,
    since: LogPosition,
    claims: AuthenticatedSubject['claims'],
    context: ConfirmContext,
  ): Promise<SignedAccessToken> {
    if (context.delivery !== undefined && context.delivery !== session.delivery) {
      throw refusal('token_invalid', {
        message: 'The session sends its tokens in another way (cookies or bodies).',
      });
    }
    // The new token gets the binding of the session, so a stolen access token alone cannot be
    // exchanged for an unbound one.
    const bound = this.binding?.ofRefresh(session, context, session.jkt ?? undefined);
    this.binding?.checkAddress(session, context);
    const again = { ...session, authTime: since.now };
    const signed = await this.signer.sign(again, since, bound, 'login', claims);
    if (signed === null) throw this.refuse('account_disabled', session, context);
    return signed;
  }

  /**
   * Writes the new time of authentication.
   *
   * @throws AuthException for a session or an account that was revoked since the token was
   * verified.
   */
  private async renew(
    session: SessionRow,
    since: LogPosition,
    signed: SignedAccessToken,
    context: ConfirmContext,
  ): Promise<void> {
    const { subject: sub, sid, gen } = session;
    // The database may have lost events in a failover that this instance still knows. They count
    // too (H1).
    const known = this.index.find({ iss: this.options.issuer, sub, sid, gen }, undefined, true);
    const outcome = await this.store.write((of) =>
      confirmed(of, session, since, signed, known?.reason),
    );
    if (outcome.kind === 'confirmed') return this.tell('login_confirmed', session, context);
    if (outcome.kind === 'ended') {
      throw this.refuse('session_ended', session, context, outcome.reason);
    }
    if (outcome.kind !== 'superseded') {
      throw this.refuse(`account_${outcome.kind}`, session, context);
    }
    throw refusal('storage_unavailable', {
      message: 'The account is being changed. Try again.',
    });
  }

  private async find(sub: string, sid: string): Promise<SessionRow | undefined> {
    // A session that a caller's transaction revoked counts as revoked from its commit on (C5).
    await this.log.settlePending();
    const { issuer } = this.options;
    const key = this.keys.hex('session', issuer, sid);
    const [row] = await this.store.read(({ statements }) => statements.findByKey(key));
    const session = row && sessionOf(row);
    return session?.subjectKey === this.keys.hex('subject', issuer, sub) ? session : undefined;
  }

  private refuse(
    code: 'session_ended' | 'account_locked' | 'account_disabled',
    session: Confirmed,
    context: ConfirmContext,
    reason?: RevocationReason,
  ): AuthException {
    this.tell('login_refused', session, context, code);
    return refusal(code, { reason });
  }

  private tell(
    type: 'login_confirmed' | 'login_refused',
    { subject, sid }: Confirmed,
    { requestId }: ConfirmContext,
    reason?: string,
  ): void {
    this.events.tell({ type, subject, sessionId: sid, requestId, reason });
  }
}

/**
 * Raises the session's time of authentication if the session is open. It takes the same lock as a
 * logout and a refresh, so a logout is either seen here or waits until this transaction has
 * committed (RT-08). If it runs again after a lost answer to COMMIT, it writes the same values.
 */
function* confirmed(
  of: StoredSessions,
  { key, subjectKey }: SessionRow,
  since: LogPosition,
  { kid, bound }: SignedAccessToken,
  knownEnd: RevocationReason | undefined,
): Transaction<ConfirmOutcome> {
  const { statements, dialect } = of;
  if (dialect.forUpdate !== '') yield statements.lockSession(key);
  // These reads follow the lock in statements of their own, because anything read before it may be
  // outdated.
  const { rows } = yield statements.findByKey(key);
  const session = rows[0] && sessionOf(rows[0]);
  const judgement = yield* of.judge(subjectKey);
  const refused = refusalOf(judgement);
  if (refused !== undefined) return { kind: refused };
  if (session === undefined) return { kind: 'ended', reason: 'unspecified' };
  const reason = endOf(session, judgement) ?? knownEnd;
  if (reason !== undefined) return { kind: 'ended', reason };
  // The session was not refreshed for too long. It was not revoked, but has expired.
  if (session.idleUntil <= judgement.now) return { kind: 'ended', reason: 'unspecified' };
  // An act on the account came while the password was compared, with this session as its exception.
  // The password may have changed, so it has to be compared again.
  if (newestCutoff(judgement) > since.position) return { kind: 'superseded' };
  // Another confirmation with a later position may have been written first, so the time must not
  // decrease. A stored time in the future was written before the database's clock was set back, and
  // is cut to now.
  const before = Math.min(session.authTime ?? session.createdAt, judgement.now);
  const authTime = Math.max(before, since.now);
  // The digest of the address depends on the signing key, so it is stored with the new `kid`.
  const { network } = bound ?? session;
  yield* writeEach([statements.confirm(key, { authTime, kid, network })]);
  return { kind: 'confirmed' };
}
