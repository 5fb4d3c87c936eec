import { type AuthException, refusal } from '../errors/auth.exception.js';
import type { VerifiedClaims } from '../options/token-claims.js';
import { Injectable } from '@nestjs/common';
import { TokenService } from '../authentication/token.service.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { lockTimeOf } from '../options/duration.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { assertText, isIdentifier, subjectOf } from '../platform/identifier.js';
import { EventKeys } from '../revocation/index/event-key.js';
import type { RevocationRequest } from '../revocation/log/event-draft.js';
import { LogPositions } from '../revocation/log/log-positions.service.js';
import { identityOf } from '../revocation/token-identity.js';
import { isRefreshToken } from '../sessions/refresh-token.js';
import { RefreshTokenLookup } from '../sessions/refresh-token-lookup.service.js';
import { sessionsOfKey } from '../sessions/session-scope.js';
import { SessionStore } from '../sessions/session-store.service.js';
import { ActIssuer } from './act-issuer.service.js';
import { ScopedLogout } from './scoped-logout.service.js';
import type {
  GrantLogoutOptions,
  KeyRevocationPreview,
  LogoutAllOptions,
  RevokeKeyOptions,
  SubjectLogoutOptions,
  TokenLogoutOptions,
} from './logout-options.js';
import {
  type LogoutOptions,
  type LogoutReceipt,
  RevocationWriter,
} from '../revocation/revocation-writer.service.js';

/**
 * Revokes tokens before they expire. Each method writes one event into the revocation log and
 * resolves when the event is committed. If the event cannot be stored, the method throws.
 *
 * Every method can be repeated. For a token or session that was revoked before, it writes nothing
 * and returns the receipt of the earlier event. A token that you pass as a string is verified:
 * `logout` accepts an expired token, `logoutOthers` does not. Claims that you pass are trusted, so
 * pass only claims that a guard has verified.
 *
 * This instance refuses the tokens as soon as the call resolves. Every other instance refuses them
 * within `receipt.effectiveEverywhereWithin` seconds, which is `maxStaleness` (5 s) by default.
 * Specified in docs/protocol.md, "Writing".
 *
 * @throws AuthUnavailableException `storage_unavailable` if the event could not be stored, or if
 * the outcome is not known. Then the token may still be valid: call the method again.
 * @throws AuthWiringError for `{ manager, wait }` together, or if `wait` could never resolve.
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
    private readonly writer: RevocationWriter,
    private readonly refreshTokens: RefreshTokenLookup,
    private readonly store: SessionStore,
    private readonly positions: LogPositions,
    private readonly keys: EventKeys,
    private readonly issuers: ActIssuer,
    private readonly scoped: ScopedLogout,
    private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * Revokes the session of a token, or only the token if it belongs to no session. Pass an access
   * token, a refresh token, or verified claims.
   *
   * @throws AuthException 400 `nothing_to_revoke` for claims that have neither `sid` nor `jti`,
   * unless the option `token` has the token; 401 for a string that is not a token of this
   * application.
   */
  async logout(
    token: string | VerifiedClaims,
    { token: text, ...options }: TokenLogoutOptions = {},
  ): Promise<LogoutReceipt> {
    if (typeof token === 'string' && isRefreshToken(token)) {
      const session = await this.refreshTokens.find(token);
      if (session === undefined) throw refusal('refresh_token_invalid');
      const { issuer } = this.options;
      const request = { kind: 'session', issuer, sid: session.sid } as const;
      const receipt = await this.writer.end({ request, reason: 'logout' }, options);
      // In a caller's transaction it is not known yet whether the logout will be committed.
      const isOver = session.endedAt !== null || options.manager !== undefined;
      if (!isOver) await this.refreshTokens.usedInLogout(token);
      return receipt;
    }
    const { iss: issuer, sid, jti, exp } = await this.claimsOf(token, text);
    if (sid === undefined && jti === undefined) throw nothingToRevoke('neither sid nor jti');
    const request: RevocationRequest =
      sid === undefined
        ? { kind: 'token', issuer, jti: jti as string, expiresAt: exp }
        : { kind: 'session', issuer, sid };
    return this.writer.end({ request, reason: 'logout' }, options);
  }

  /**
   * Revokes any session by its id, the claim `sid`. It does not check who owns the session: do that
   * first, or one user can log out another.
   *
   * @throws AuthWiringError for a `sid` that is not a string; without `issuer` if there are foreign
   * issuers and the database has no session with this id.
   */
  async logoutSession(sid: string, options: SubjectLogoutOptions = {}): Promise<LogoutReceipt> {
    assertText(sid, 'sid', 'logoutSession()');
    const issuer = await this.issuers.ofSession(sid, options.issuer, 'logoutSession()');
    const request = { kind: 'session', issuer, sid } as const;
    return this.writer.end({ request, reason: 'logged_out_elsewhere' }, options);
  }

  /**
   * Revokes all sessions of the account except the session of this token.
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
    const request = { kind: 'subject', issuer: iss, subject: sub, exceptSession: sid } as const;
    return this.writer.end({ request, reason: 'logged_out_elsewhere' }, options);
  }

  /**
   * Logs an account out on every device. It revokes every token that was issued before the call,
   * and none that is issued after it.
   *
   * If the option `foreign` has an issuer, pass `issuer`, unless the account has a session or a row
   * of the application's own issuer.
   *
   * With `client` it revokes only the sessions of that client. A login of that client whose
   * password is being checked at that moment is refused with `session_ended`. The receipt is that
   * of the cut-off, and each session gets an event of its own. After a 503 call it again: it
   * continues with the remaining sessions.
   *
   * @throws AuthWiringError (a 500) for a subject that is undefined, null or an object; if `issuer`
   * is needed; for an `issuer` that is not registered; for `lockFor` of a foreign issuer; for
   * `client` together with `manager`, `lockFor` or a foreign issuer.
   * @throws AuthException 400 `invalid_subject` for a string that cannot be a `sub`,
   * `invalid_request` for an empty client.
   * @example
   * ```ts
   * await this.logoutService.logoutAll('auth0|123', { issuer: 'https://tenant.eu.auth0.com/' });
   * await this.logoutService.logoutAll(user.id, { client: 'tv', actor: admin.id });
   * ```
   */
  async logoutAll(
    given: string | number | bigint,
    { lockFor, client, ...options }: LogoutAllOptions = {},
  ): Promise<LogoutReceipt> {
    const call = 'logoutAll()';
    const subject = subjectOf(given, call);
    if (client !== undefined) {
      return this.scoped.logoutClient(subject, client, { ...options, lockFor });
    }
    const account = lockFor === undefined ? undefined : { lockFor: lockTimeOf(lockFor) };
    const issuer =
      account === undefined
        ? await this.issuers.ofSubject(subject, options.issuer, call)
        : await this.issuers.ofLogins(subject, options.issuer, 'logoutAll({ lockFor })');
    const request = { kind: 'subject', issuer, subject, account } as const;
    return this.writer.end({ request, reason: 'logged_out_elsewhere' }, options);
  }

  /**
   * Revokes every session that logged in with this `grant`, of all accounts: for example when a
   * user withdraws an OAuth grant or turns an agent off. It works like {@link logoutAll} with
   * `client`. It takes no `manager`, because the sessions can only be found after the cut-off was
   * committed.
   *
   * @throws AuthException 400 `invalid_request` for a string that cannot be a grant.
   * @example
   * ```ts
   * await this.sessions.login(authenticate, { grant: approval.id });
   * await this.logoutService.logoutGrant(approval.id, { actor: userId, reason: 'administrator' });
   * ```
   */
  async logoutGrant(grant: string, options: GrantLogoutOptions = {}): Promise<LogoutReceipt> {
    return this.scoped.logoutGrant(grant, options);
  }

  /**
   * Permanently revokes a leaked key: every token that it signed or will sign is refused. Sessions
   * continue with the next key at their next refresh, unless `sessions` revokes them too. Add the
   * next key to `keys` first, or logins and refreshes answer 503 `no_signing_key`.
   *
   * With `dryRun` it only counts the open sessions of the key.
   *
   * Below format 2 of the log it revokes the keys with this `kid` of every issuer. To revoke only
   * the key of one issuer, run `nestjs-logout raise-format 2` first.
   *
   * @throws AuthWiringError (a 500) without `issuer` if the option `foreign` has an issuer and no
   * key in `keys` has this `kid`; for an `issuer` that is not registered; for `sessions` with a
   * foreign issuer.
   * @example
   * ```ts
   * const { sessions } = await this.logoutService.revokeKey(kid, { dryRun: true });
   * await this.logoutService.revokeKey('2026-10', { issuer: 'https://partner.example.com' });
   * ```
   */
  async revokeKey(
    kid: string,
    options: { readonly dryRun: true; readonly issuer?: string | undefined },
  ): Promise<KeyRevocationPreview>;
  async revokeKey(kid: string, options?: RevokeKeyOptions): Promise<LogoutReceipt>;
  async revokeKey(
    kid: string,
    {
      dryRun,
      sessions: endsSessions = false,
      issuer: given,
      ...options
    }: RevokeKeyOptions & {
      readonly dryRun?: boolean;
    } = {},
  ): Promise<LogoutReceipt | KeyRevocationPreview> {
    assertText(kid, 'kid', 'revokeKey()');
    const issuer = await this.issuers.ofKey(kid, given, 'revokeKey()');
    const isOurs = issuer === this.options.issuer;
    if (dryRun === true) {
      let sessions = 0;
      if (isOurs) for await (const sids of this.sessionsOf(kid)) sessions += sids.length;
      return { kid, sessions };
    }
    if (endsSessions && !isOurs) throw noSessionsOf(issuer);
    const act = { request: { kind: 'key', issuer, kid }, reason: 'key_compromised' } as const;
    const receipt = await this.writer.end(act, options);
    if (endsSessions) {
      // Sessions are revoked page by page. If the call is repeated after a failure, it continues
      // with the remaining ones.
      for await (const sids of this.sessionsOf(kid)) {
        await this.writer.endSessions(sids, { reason: 'key_compromised', actor: options.actor });
      }
    }
    return receipt;
  }

  /**
   * Logs all users out: it revokes every token of the issuer that was issued before the call. The
   * default `issuer` is the application's own. It cannot be combined with `manager`.
   *
   * @throws AuthWiringError for an `issuer` that is not registered, and with `manager`.
   */
  async revokeEveryone(options: SubjectLogoutOptions = {}): Promise<LogoutReceipt> {
    const issuer = options.issuer ?? this.options.issuer;
    this.issuers.assertRegistered(issuer, 'revokeEveryone()');
    const act = { request: { kind: 'issuer', issuer }, reason: 'everyone' } as const;
    return this.writer.end(act, options);
  }

  private sessionsOf(kid: string): AsyncGenerator<string[]> {
    return sessionsOfKey(this.store, this.keys, kid, this.positions.databaseNow());
  }

  /**
   * The claims of the token to revoke, with the ids under which the log knows it.
   *
   * @throws AuthException 400 `nothing_to_revoke` for anything but a string or claims.
   */
  private async claimsOf(
    token: string | VerifiedClaims,
    text?: string,
  ): Promise<VerifiedClaims & { iss: string }> {
    if (typeof token === 'string') return this.tokens.verify(token, { allowExpired: true });
    if (typeof token !== 'object' || token === null) throw nothingToRevoke('no token');
    if (!isIdentifier(token.iss)) throw nothingToRevoke('no iss');
    const claims = token as VerifiedClaims & { iss: string };
    // Only foreign tokens have their ids in other claims, or no ids.
    const isOurs = claims.iss === this.options.issuer && (claims.sid ?? claims.jti) !== undefined;
    return isOurs ? claims : identityOf(claims, text, this.options);
  }
}

function noSessionsOf(issuer: string): AuthWiringError {
  return new AuthWiringError(
    `revokeKey({ sessions: true }) was called with issuer ${JSON.stringify(issuer)}: sessions have no keys of another issuer. Nothing was ended.`,
    'Omit sessions: tokens of the key are refused anyway.',
  );
}

function nothingToRevoke(what: string): AuthException {
  return refusal('nothing_to_revoke', { message: `Nothing was revoked: the token has ${what}.` });
}
