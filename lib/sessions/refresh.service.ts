import { Inject, Injectable } from '@nestjs/common';
import type { BoundClient } from '../binding/bound-client.js';
import { TOKEN_BINDING, type TokenBinding } from '../binding/token-binding.js';
import type { RevocationReason } from '../database/entities/revocation-event.entity.js';
import { type PresentedToken, refreshOf, type SessionRow } from '../database/session.statements.js';
import { type AuthException, refusal } from '../errors/auth.exception.js';
import { ERROR_CODES } from '../errors/error-codes.js';
import { type AuthEventDraft, AuthEvents } from '../events/auth-events.service.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { RevocationIndex } from '../revocation/index/revocation-index.js';
import { type LogPosition, LogPositions } from '../revocation/log/log-positions.service.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import { RevocationWriter, type SessionsEnd } from '../revocation/revocation-writer.service.js';
import {
  AccessTokenSigner,
  loginResultOf,
  repeatedResultOf,
  type SignedAccessToken,
} from './access-token.signer.js';
import {
  type ClientContext,
  idempotencyKeyOf,
  type LoginResult,
  type RefreshContext,
} from './login-context.js';
import {
  openSuccessor,
  type RefreshToken,
  refreshTokenDigest,
  retryDigest,
  sealSuccessor,
} from './refresh-token.js';
import { RefreshTokenLookup } from './refresh-token-lookup.service.js';
import { classOf, isReuse, type ReuseClass } from './reuse.js';
import { type RefreshOutcome, rotationOf } from './rotate.js';
import {
  cut,
  endOf,
  type LookedUpToken,
  refusalOf,
  SessionStore,
  storedClientOf,
} from './session-store.service.js';

/** How often one call starts again because the account got a cut-off above its position. */
const ATTEMPTS = 5;

const CODES = {
  unknown: 'refresh_token_invalid',
  expired: 'refresh_token_expired',
  locked: 'account_locked',
  disabled: 'account_disabled',
} as const;

/**
 * Replaces refresh tokens. Each has one successor, however often it is presented (P9). The rules are RT-01 to
 * RT-13 of docs/requirements.md.
 *
 * Everything that may fail (claims, signature, cookie) runs before the one transaction that consumes the
 * token, so a failure consumes nothing (RT-13).
 */
@Injectable()
export class RefreshService {
  constructor(
    private readonly log: RevocationLog,
    private readonly positions: LogPositions,
    private readonly store: SessionStore,
    private readonly lookup: RefreshTokenLookup,
    private readonly signer: AccessTokenSigner,
    private readonly index: RevocationIndex,
    private readonly writer: RevocationWriter,
    private readonly events: AuthEvents,
    private readonly options: ResolvedAuthOptions,
    @Inject(TOKEN_BINDING) private readonly binding: TokenBinding | null,
  ) {}

  /** See {@link SessionService.refresh}. */
  async refresh(token: string, context: RefreshContext): Promise<LoginResult> {
    const { idempotencyKey } = context;
    if (idempotencyKey !== undefined) idempotencyKeyOf(idempotencyKey);
    // The proof is checked once per call, not per attempt, because a DPoP proof cannot be used twice.
    const jkt = this.binding === null ? undefined : await this.binding.proveKey(context);
    // Every attempt uses the same successor, so that a committed attempt whose answer was lost is recognised.
    const successor = this.lookup.issue();
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      // The token is looked up first, so that an unknown text costs no more than its share of one statement.
      const presented = await this.present(token, context, jkt);
      const { session, bound } = presented;
      // A proof by the key of a bound session identifies the client, as an idempotency key does. A session
      // that is not bound yet could be bound by a thief.
      const key = this.binding?.retryKeyOf(session) ?? idempotencyKey;
      // The position is read before the claims: if a role changes meanwhile, that event revokes this token
      // (G1).
      const since = presented.since ?? (await this.positions.read());
      // Signed before the token is consumed: a missing key or an invalid claim costs nothing.
      const signed = await this.signer.sign(session, since, bound, 'refresh');
      if (signed === null) throw await this.refuseGone(session, context);
      const outcome = await this.rotate(token, successor, presented, since, signed, context, key);
      if (outcome.kind === 'refreshed') {
        this.tell('refresh', session, context);
        const { expiresAt } = outcome.refresh;
        return loginResultOf(signed, session, successor, expiresAt, this.positions.databaseNow());
      }
      if (outcome.kind === 'retried') {
        const same = openSuccessor(token, outcome.sealed, outcome.isProven ? key : undefined);
        this.tell('refresh', session, context);
        const now = this.positions.databaseNow();
        return repeatedResultOf(signed, session, same, outcome.refresh, now);
      }
      // A cut-off above the position would revoke the new token at once, so start again above it.
      if (outcome.kind !== 'superseded') throw await this.refuse(outcome, session, context);
    }
    throw refusal('storage_unavailable', {
      message: 'The account is being changed. Try again.',
    });
  }

  /**
   * Checks a refresh token without using it. It reads the primary, so the answer is never stale.
   *
   * @returns `undefined` for a token that is unknown, used, expired or revoked, or whose account may not log
   * in. A token within its grace counts as used.
   * @throws AuthUnavailableException `storage_unavailable`.
   */
  async inspect(token: string): Promise<PresentedToken | undefined> {
    // A revocation in a caller's transaction counts from its commit on (C5).
    await this.log.settlePending();
    const presented = await this.lookup.present(token);
    if (presented === undefined || presented.refresh.replacedAt !== null) return undefined;
    const { session, refresh, judgement } = presented;
    const isLive =
      endOf(session, judgement) === undefined &&
      refusalOf(judgement) === undefined &&
      judgement.now < refresh.expiresAt;
    return isLive ? presented : undefined;
  }

  private async present(
    token: RefreshToken,
    context: RefreshContext,
    jkt: string | undefined,
  ): Promise<LookedUpToken & { readonly bound: BoundClient | undefined }> {
    const presented = await this.lookup.present(token);
    if (presented === undefined) throw refusal('refresh_token_invalid');
    const { session } = presented;
    const isForeign =
      session.delivery !== (context.delivery ?? 'body') ||
      (context.client !== undefined && cut(context.client) !== session.client);
    // Refused without a change, so that a misdirected token does not revoke the session of its owner (RT-11).
    if (isForeign) throw refusal('refresh_token_invalid');
    const sessionKey = this.binding?.retryKeyOf(session);
    const hasOtherKey = sessionKey !== undefined && session.jkt !== jkt;
    const isOther = hasOtherKey || (this.binding?.isElsewhere(session, context) ?? false);
    if (isOther || session.endedAt !== null) {
      const reuse = await this.reuseOf(token, presented, sessionKey ?? context.idempotencyKey);
      if (session.endedAt !== null) {
        const reason = session.endReason ?? 'unspecified';
        throw this.ended(session, reason, reuse !== undefined, context);
      }
      // It was used before the session was bound to this key or address, which may be a thief's (RT-04).
      if (reuse !== undefined) throw await this.refuse({ kind: 'reused', reuse }, session, context);
    }
    const bound = this.binding?.ofRefresh(session, context, jkt);
    this.binding?.checkAddress(session, context);
    return { ...presented, bound };
  }

  /**
   * @param key - The idempotency key or client key by which a client proves that it used the token before.
   */
  private async reuseOf(
    token: RefreshToken,
    { refresh, judgement }: PresentedToken,
    key: string | undefined,
  ): Promise<ReuseClass | undefined> {
    const { sessionKey, number, replacedAt } = refresh;
    if (replacedAt === null) return undefined;
    const rows = await this.store.read((of) => of.statements.successors(sessionKey, number));
    const successors = rows.map(refreshOf);
    const isReused = isReuse(refresh, successors, key && retryDigest(token, key), judgement.now);
    const newest = Math.max(...successors.map((each) => each.number));
    return isReused ? classOf(newest - number) : undefined;
  }

  /** Revokes the session of an account that no longer exists. */
  private async refuseGone(session: SessionRow, context: ClientContext): Promise<AuthException> {
    const reason = 'account_disabled';
    await this.end(session, context, { type: 'refresh_refused', reason });
    return refusal(reason);
  }

  private rotate(
    token: RefreshToken,
    successor: RefreshToken,
    presented: PresentedToken,
    { position: since }: LogPosition,
    { kid, bound }: SignedAccessToken,
    context: RefreshContext,
    key: string | undefined,
  ): Promise<RefreshOutcome> {
    const { session } = presented;
    const { ip, userAgent } = storedClientOf(context);
    const rotation = {
      digest: refreshTokenDigest(token),
      successorDigest: refreshTokenDigest(successor),
      since,
      sealed: this.options.refreshGrace === 0 ? null : sealSuccessor(token, successor),
      proof:
        key === undefined
          ? null
          : {
              digest: retryDigest(token, key),
              sealed: sealSuccessor(token, successor, key),
            },
      sighting: { kid, ip, userAgent },
      bound,
      // A failover may have lost events that this instance knows. They count too (H1).
      knownEnd: this.index.find(
        { iss: this.options.issuer, sub: session.subject, sid: session.sid, gen: session.gen },
        undefined,
        true,
      )?.reason,
    };
    const now = Math.floor(this.positions.databaseNow());
    return this.store.writeAtOnce(rotationOf(presented, rotation, this.options, now));
  }

  private async refuse(
    outcome: Exclude<RefreshOutcome, { kind: 'refreshed' | 'retried' | 'superseded' }>,
    session: SessionRow,
    context: ClientContext,
  ): Promise<AuthException> {
    if (outcome.kind === 'reused') {
      const { reuse } = outcome;
      // The revocation is committed before the refusal is sent. After a 503 the token can be sent again
      // (RT-05).
      await this.end(session, context, { type: 'refresh_reused', reason: 'refresh_reused', reuse });
      return refusal('refresh_token_reused', { reason: 'refresh_reused' });
    }
    if (outcome.kind === 'ended') {
      return this.ended(session, outcome.reason, outcome.isReused, context);
    }
    const refused =
      outcome.kind === 'too many'
        ? refusal('too_many_attempts', {
            message: 'The session is refreshed too often. Use each access token until it expires.',
            retryAfter: outcome.wait / 1000,
          })
        : refusal(CODES[outcome.kind]);
    this.tell('refresh_refused', session, context, { reason: refused.code });
    return refused;
  }

  private ended(
    session: SessionRow,
    reason: RevocationReason,
    isReused: boolean,
    context: ClientContext,
  ): AuthException {
    // A thief who refreshes and then logs out must not hide the theft (S17). The answer does not show it.
    if (isReused) {
      this.tell('refresh_reused', session, context, { reuse: 'after_end', reason });
    } else this.tell('refresh_refused', session, context, { reason: 'session_ended' });
    // The default message is also for callers that can still refresh. This caller has to log in.
    const message = `${ERROR_CODES.session_ended.message} Log in again.`;
    return refusal('session_ended', { reason, message });
  }

  private end(
    { subject, sid }: SessionRow,
    { requestId }: ClientContext,
    why: SessionsEnd,
  ): Promise<void> {
    return this.writer.endSessions([sid], { ...why, subject, requestId });
  }

  private tell(
    type: 'refresh' | 'refresh_refused' | 'refresh_reused',
    { subject, sid }: SessionRow,
    { requestId }: ClientContext,
    details: Pick<AuthEventDraft, 'reason' | 'reuse'> = {},
  ): void {
    this.events.tell({ type, subject, sessionId: sid, requestId, ...details });
  }
}
