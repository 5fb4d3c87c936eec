import { Inject, Injectable } from '@nestjs/common';
import { TokenService } from '../authentication/token.service.js';
import { AuthClock } from '../context/auth-clock.js';
import { AuthException } from '../errors/auth.exception.js';
import { AuthUnavailableException } from '../errors/unavailable.exception.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import {
  RESOLVED_AUTH_OPTIONS,
  type ResolvedAuthOptions,
} from '../options/resolved-auth-options.js';
import { isIdentifier, subjectOf } from '../revocation/identifier.js';
import { RevocationFeed } from '../revocation/revocation-feed.service.js';
import { RevocationLog } from '../revocation/revocation-log.service.js';
import type { RevocationRequest } from '../revocation/revocation-request.js';
import type { RevocationReason } from '../revocation/revocation-event.js';
import { StalePolicies } from '../revocation/stale-policies.service.js';
import type { VerifiedClaims } from '../revocation/token-claims.js';
import { type AuthEventDraft, AuthEvents } from '../events/auth-events.service.js';
import { lockTimeOf } from '../options/lock-time.js';
import { UNBOUNDED } from '../options/stale-policy.js';
import { isRefreshToken } from '../sessions/refresh-token.js';
import { RefreshService } from '../sessions/refresh.service.js';
import { refreshRefusal } from '../sessions/session-refusals.js';
import { KeySessions } from './key-sessions.service.js';
import type {
  KeyRevocationPreview,
  LogoutAllOptions,
  LogoutOptions,
  RevokeKeyOptions,
  SubjectLogoutOptions,
} from './logout-options.js';
import type { LogoutReceipt } from './logout-receipt.js';

/** A timer may fire this much early (ms). */
const TIMER_SLACK = 10;

/**
 * Ends tokens before their time: each verb writes one event into the revocation log, resolves when it
 * is committed, and never reports success for what was not stored.
 *
 * Every verb is idempotent. A token's text is verified; `logout` takes one that has expired, too,
 * `logoutOthers` does not. Claims are trusted, so pass only those that a guard has verified.
 *
 * @throws AuthUnavailableException `storage_unavailable` when it could not be stored, or when nobody
 * knows whether it was: try again.
 *
 * @example
 * ```ts
 * @Post('logout') @HttpCode(204) @AllowExpired() @UseGuards(JwtAuthGuard)
 * async logout(@CurrentToken() token: TokenClaims): Promise<void> {
 *   await this.logoutService.logout(token);
 * }
 * ```
 * @publicApi
 */
@Injectable()
export class LogoutService {
  constructor(
    private readonly tokens: TokenService,
    private readonly log: RevocationLog,
    private readonly feed: RevocationFeed,
    private readonly policies: StalePolicies,
    private readonly refreshes: RefreshService,
    private readonly keySessions: KeySessions,
    private readonly events: AuthEvents,
    private readonly clock: AuthClock,
    @Inject(RESOLVED_AUTH_OPTIONS) private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * Logs out of this session, on this device; of this one token where it belongs to no session. A
   * refresh token's text does as well as an access token's.
   *
   * @throws AuthException 400 `nothing_to_revoke` for claims with neither `sid` nor `jti`, and 401
   * for a text that is no token of ours.
   */
  async logout(
    token: string | VerifiedClaims,
    options: LogoutOptions = {},
  ): Promise<LogoutReceipt> {
    if (isRefreshToken(token)) {
      const session = await this.refreshes.find(token);
      if (session === undefined) throw refreshRefusal('refresh_token_invalid');
      const { issuer } = this.options;
      return this.end({ kind: 'session', issuer, sid: session.sid }, 'logout', options);
    }
    const { iss, sid, jti, exp } = await this.claimsOf(token);
    if (sid !== undefined)
      return this.end({ kind: 'session', issuer: iss, sid }, 'logout', options);
    if (jti !== undefined) {
      return this.end({ kind: 'token', issuer: iss, jti, expiresAt: exp }, 'logout', options);
    }
    throw nothingToRevoke('neither sid nor jti');
  }

  /** Ends another session by its id, the claim `sid`: "log out there". Whose it is, the caller checks. */
  async logoutSession(sid: string, options: SubjectLogoutOptions = {}): Promise<LogoutReceipt> {
    const issuer = options.issuer ?? this.options.issuer;
    return this.end({ kind: 'session', issuer, sid }, 'logged_out_elsewhere', options);
  }

  /**
   * Logs out of all the account's sessions but this token's.
   *
   * @throws AuthException 400 `nothing_to_revoke` for claims without `sub` or `sid`.
   */
  async logoutOthers(
    token: string | VerifiedClaims,
    options: LogoutOptions = {},
  ): Promise<LogoutReceipt> {
    const claims =
      typeof token === 'string' ? await this.tokens.verify(token) : await this.claimsOf(token);
    const { iss, sub, sid } = claims;
    if (!isIdentifier(sub) || sid === undefined) throw nothingToRevoke('no sub or no sid');
    return this.end(
      { kind: 'subject', issuer: iss, subject: sub, exceptSession: sid },
      'logged_out_elsewhere',
      options,
    );
  }

  /** Logs an account out on every device: whatever was issued before dies, what comes after lives. */
  async logoutAll(
    subject: string | number | bigint,
    { lockFor, ...options }: LogoutAllOptions = {},
  ): Promise<LogoutReceipt> {
    const issuer = options.issuer ?? this.options.issuer;
    const account = lockFor === undefined ? undefined : { lockFor: lockTimeOf(lockFor) };
    return this.end(
      { kind: 'subject', issuer, subject: subjectOf(subject), account },
      'logged_out_elsewhere',
      options,
    );
  }

  /**
   * Refuses every token that this key signed or will sign, for ever: the key has leaked. Sessions go on
   * under the next key at their next refresh, unless `sessions` ends them too.
   *
   * @example
   * ```ts
   * const { sessions } = await this.logoutService.revokeKey(kid, { dryRun: true });
   * ```
   */
  async revokeKey(kid: string, options: { readonly dryRun: true }): Promise<KeyRevocationPreview>;
  async revokeKey(kid: string, options?: RevokeKeyOptions): Promise<LogoutReceipt>;
  async revokeKey(
    kid: string,
    {
      dryRun,
      sessions: endsSessions = false,
      ...options
    }: RevokeKeyOptions & {
      readonly dryRun?: boolean;
    } = {},
  ): Promise<LogoutReceipt | KeyRevocationPreview> {
    if (dryRun === true) return { kid, sessions: await this.keySessions.count(kid) };
    const receipt = await this.end({ kind: 'key', kid }, 'key_compromised', options);
    if (endsSessions) await this.keySessions.end(kid, options.actor);
    return receipt;
  }

  /** Logs everybody out: every token of the issuer that was issued before dies. */
  async revokeEveryone(options: SubjectLogoutOptions = {}): Promise<LogoutReceipt> {
    const issuer = options.issuer ?? this.options.issuer;
    return this.end({ kind: 'issuer', issuer }, 'everyone', options);
  }

  /** @throws AuthException 400 `nothing_to_revoke` for what is neither a text nor claims. */
  private async claimsOf(
    token: string | VerifiedClaims,
  ): Promise<VerifiedClaims & { iss: string }> {
    if (typeof token === 'string') return this.tokens.verify(token, { allowExpired: true });
    if (typeof token !== 'object' || token === null) throw nothingToRevoke('no token');
    if (!isIdentifier(token.iss)) throw nothingToRevoke('no iss');
    return token as VerifiedClaims & { iss: string };
  }

  private async end(
    request: RevocationRequest,
    reason: RevocationReason,
    { wait, manager, requestId, ...given }: LogoutOptions,
  ): Promise<LogoutReceipt> {
    const { actor } = given;
    const complete = { ...request, reason: given.reason ?? reason, actor };
    const told = { ...aboutOf(request), reason: complete.reason, actor, requestId };
    if (manager !== undefined) {
      if (wait !== undefined) {
        throw new AuthWiringError(
          'logout(…, { manager, wait }) cannot work: inside the transaction nothing is in force yet.',
          'Leave wait out, and await receipt.applied() after the commit.',
        );
      }
      const bound = await this.log.bound();
      const drafts = await this.log.appendWith(manager, [complete]);
      this.events.tell(told);
      return {
        events: drafts.map(({ id }) => ({ kind: complete.kind, position: null, id })),
        effectiveEverywhereWithin: secondsOf(bound),
        keptUntil: null,
        applied: () => this.applied(),
      };
    }
    const { widest } = this.policies;
    if (wait === 'everywhere' && widest >= UNBOUNDED) {
      throw cannotWait('this instance', 'Nothing was ended.');
    }
    const { head, events } = await this.log.append([complete]);
    this.events.tell(told);
    const bound = Math.max(head.maxStaleness, widest);
    if (wait === 'everywhere') {
      if (bound >= UNBOUNDED) throw cannotWait('another instance', 'It was ended, and counts.');
      await this.pass(bound);
    }
    const until = events[0]?.until ?? null;
    return {
      events: events.map(({ position, id }) => ({
        kind: complete.kind,
        position,
        id,
      })),
      effectiveEverywhereWithin: secondsOf(bound),
      keptUntil: until === null ? null : new Date(until),
      applied: () => Promise.resolve(),
    };
  }

  /** @throws AuthUnavailableException when the application shuts down before it could be known. */
  private async applied(): Promise<void> {
    if (!this.options.follow) return;
    while (!(await this.feed.strictProof())) {
      if (this.feed.isStopped) {
        throw new AuthUnavailableException(
          'revocation_state_unknown',
          'The application shut down before the logout was seen to be in force here.',
        );
      }
      await this.pass(this.options.maxStaleness / 4, false);
    }
  }

  private pass(milliseconds: number, keepAlive = true): Promise<void> {
    return new Promise((resolve) => {
      this.clock.schedule(milliseconds + TIMER_SLACK, resolve, keepAlive);
    });
  }
}

/** What an audit may know of it: the account or the session, hashed; never a token's id. */
function aboutOf(request: RevocationRequest): Omit<AuthEventDraft, 'reason'> {
  const type = request.kind === 'key' ? 'key_revoked' : 'logout';
  return {
    type,
    scope: request.kind,
    subject: request.kind === 'subject' ? request.subject : undefined,
    sessionId: request.kind === 'session' ? request.sid : undefined,
  };
}

/** A hundred years are no bound that anybody should wait for, or read. */
function secondsOf(bound: number): number {
  return bound >= UNBOUNDED ? Infinity : bound / 1000;
}

function cannotWait(who: string, outcome: string): AuthWiringError {
  return new AuthWiringError(
    `logout(…, { wait: 'everywhere' }) cannot be answered: ${who} has registered that it may accept revoked tokens without a bound ('open' or observe). ${outcome}`,
    'Leave wait out; effectiveEverywhereWithin is Infinity.',
    "Replace 'open' by { staleFor }, then lower the bound in the head (npx nestjs-logout lower-bound).",
  );
}

function nothingToRevoke(what: string): AuthException {
  return new AuthException(400, 'nothing_to_revoke', `Nothing was revoked: the token has ${what}.`);
}
