import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { endedBy } from '../database/account.statements.js';
import { apiTokenOf, apiTokens } from '../database/api-token.statements.js';
import type { ApiToken } from '../database/entities/auth-api-token.entity.js';
import { integerOf } from '../database/entities/table.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { refusal } from '../errors/auth.exception.js';
import { AuthEvents } from '../events/auth-events.service.js';
import { AuthMeter } from '../events/auth-meter.service.js';
import type { ResolvedApiTokens } from '../options/api-token-options.js';
import { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import { assertText, subjectOf } from '../platform/identifier.js';
import { EventKeys } from '../revocation/index/event-key.js';
import { RevocationIndex } from '../revocation/index/revocation-index.js';
import { LogPositions } from '../revocation/log/log-positions.service.js';
import { RevocationLog } from '../revocation/log/revocation-log.service.js';
import { NO_KEY } from '../revocation/revocation-decider.service.js';
import {
  type LogoutOptions,
  type LogoutReceipt,
  RevocationWriter,
} from '../revocation/revocation-writer.service.js';
import { assertCurrent } from '../sessions/login.service.js';
import { cursorOf, readListOptions, type SessionListOptions } from '../sessions/session-list.js';
import { refusalOf, SessionStore } from '../sessions/session-store.service.js';
import { type IssueApiToken, readIssue } from './api-token-input.js';
import {
  type ApiTokenInfo,
  apiTokenInfoOf,
  type ApiTokenPage,
  findTokens,
} from './api-token-list.js';
import { OpaqueTokenLookup } from './opaque-token-lookup.service.js';

/** A new API token. @publicApi */
export interface IssuedApiToken {
  /** The token itself. Show it to the user now: only its digest is stored. */
  readonly token: string;
  readonly info: ApiTokenInfo;
}

/** Options of {@link ApiTokenService.revoke}. @publicApi */
export interface RevokeApiTokenOptions extends LogoutOptions {
  /** The owner of the token. If the token belongs to another account, the call throws 404 and revokes nothing. */
  readonly subject?: string | number | bigint | undefined;
}

/**
 * Long-lived opaque tokens for scripts and other services, which can be revoked at any time.
 * `AccessTokenGuard` accepts them. Requires the option `apiTokens`.
 *
 * `logoutAll`, `lock`, `disable`, `remove`, `passwordChanged` and `revokeEveryone` revoke API
 * tokens as they revoke sessions. `claimsChanged` does not, because the claims of an API token are
 * fixed when it is issued.
 *
 * Specified in docs/requirements.md, "Opaque tokens".
 *
 * @throws AuthWiringError if the option `apiTokens` is off.
 * @throws AuthUnavailableException `storage_unavailable` while the database cannot be reached.
 *
 * @example
 * ```ts
 * const { token, info } = await this.apiTokens.issue(userId, { name: 'backup', scopes: ['files:read'] });
 * await this.apiTokens.revoke(info.id, { subject: userId });
 * ```
 * @publicApi
 */
@Injectable()
export class ApiTokenService {
  constructor(
    private readonly positions: LogPositions,
    private readonly log: RevocationLog,
    private readonly store: SessionStore,
    private readonly writer: RevocationWriter,
    private readonly lookup: OpaqueTokenLookup,
    private readonly index: RevocationIndex,
    private readonly keys: EventKeys,
    private readonly events: AuthEvents,
    private readonly meter: AuthMeter,
    private readonly options: ResolvedAuthOptions,
  ) {}

  /**
   * Issues a token for an account. Anyone who has the token can act as the account until it expires.
   *
   * @throws AuthUnauthorizedException `account_locked`, `account_disabled`; `session_ended` if the account was
   * logged out everywhere after the position `since`.
   * @throws AuthException 400 `invalid_subject`; 400 `invalid_request` for an invalid name, scope or lifetime;
   * 409 `too_many_api_tokens` above `apiTokens.limit`.
   * @throws AuthWiringError for claims that look like secrets, and for claims that the library sets.
   */
  async issue(subject: string | number | bigint, given: IssueApiToken): Promise<IssuedApiToken> {
    const { limit } = this.isOn('issue()');
    const sub = subjectOf(subject, 'apiTokens.issue()');
    const { life, ...said } = readIssue(given, this.options.allowedClaims);
    const since = given.since ?? (await this.positions.read());
    assertCurrent(since, this.positions.databaseNow());
    const { position: gen, now } = since;
    const { token, row } = this.lookup.newToken({
      ...said,
      id: randomUUID(),
      subject: sub,
      gen,
      sid: null,
      createdAt: now,
      expiresAt: now + life,
    });
    await this.insert(row, limit);
    const { actor, requestId } = given;
    this.events.tell({ type: 'api_token_issued', scope: 'token', subject: sub, actor, requestId });
    return { token, info: apiTokenInfoOf(row) };
  }

  /**
   * Returns a page of the account's active tokens, newest first.
   *
   * @throws AuthException 400 `invalid_request` for an invalid limit or cursor.
   */
  async list(
    subject: string | number | bigint,
    options: SessionListOptions = {},
  ): Promise<ApiTokenPage> {
    this.isOn('list()');
    const sub = subjectOf(subject, 'apiTokens.list()');
    const key = this.keys.hex('subject', this.options.issuer, sub);
    const { limit, after } = readListOptions(options);
    await this.log.settlePending();
    const place = after && { createdAt: after.createdAt, tokenKey: after.key };
    const found = await this.store.write((of) =>
      findTokens(of, key, place, limit, (token) => this.isEnded(token)),
    );
    const page = found.page.map(apiTokenInfoOf);
    const { next } = found;
    if (next === undefined) return page;
    return Object.assign(page, { next: cursorOf({ ...next, key: next.tokenKey }) });
  }

  /**
   * Revokes one token, identified by its id or by the token itself.
   *
   * @throws AuthException 404 `not_found` if the token does not exist or belongs to another account.
   */
  async revoke(
    idOrToken: string,
    { subject, ...options }: RevokeApiTokenOptions = {},
  ): Promise<LogoutReceipt> {
    const { prefix } = this.isOn('revoke()');
    assertText(idOrToken, 'id or token', 'apiTokens.revoke()');
    const row = idOrToken.startsWith(prefix)
      ? await this.lookup.find(idOrToken)
      : await this.findById(idOrToken);
    const owner = subject === undefined ? row?.subject : subjectOf(subject, 'apiTokens.revoke()');
    if (row === undefined || row.sid !== null || row.subject !== owner) {
      throw refusal('not_found', { message: 'There is no such API token.' });
    }
    const { id: jti, digest, expiresAt } = row;
    const reason = options.reason ?? 'logout';
    // The event is kept until the token expires, so the row may be updated later (O3).
    const request = {
      kind: 'token',
      issuer: this.options.issuer,
      jti,
      expiresAt: expiresAt / 1000,
    } as const;
    const afterCommit = (): Promise<void> =>
      this.store.attempt(({ dialect }) => apiTokens(dialect).end([digest], { endReason: reason }));
    const type = 'api_token_revoked';
    return this.writer.end({ request, reason, type, subject: row.subject, afterCommit }, options);
  }

  /** Finds a token by its id, through the key of its events, which is indexed. */
  private async findById(id: string): Promise<ApiToken | undefined> {
    const key = this.keys.hex('token', this.options.issuer, id);
    const [row] = await this.store.read(({ dialect }) => apiTokens(dialect).findByKey(key));
    return row && apiTokenOf(row);
  }

  /** Checks the revocations that this instance committed, and those of other instances as of the last poll. */
  private isEnded({ id: jti, subject: sub, gen }: ApiToken): boolean {
    return this.index.find({ iss: this.options.issuer, sub, jti, gen }, NO_KEY, true) !== undefined;
  }

  /**
   * Stores a token, unless its account may not log in, was logged out meanwhile, or has too many
   * tokens.
   */
  private async insert(row: ApiToken, limit: number): Promise<void> {
    const { digest, gen, subjectKey } = row;
    const refused = await this.store.write(function* (of) {
      // This locks the account's row. Without the lock, two simultaneous calls would not see each other's token.
      if (limit < Infinity) yield of.accounts.insertMissing([subjectKey]);
      const judgement = yield* of.judge(subjectKey);
      const lock = refusalOf(judgement);
      if (lock !== undefined) return `account_${lock}` as const;
      const { account, issuer } = judgement;
      // The token would be revoked from the start (G1), so nothing is stored.
      if (endedBy(account, gen, '') ?? endedBy(issuer, gen, '')) return 'session_ended' as const;
      if (limit < Infinity) {
        const killsBelow = Math.max(account.killsBelow, issuer.killsBelow);
        const { rows } = yield apiTokens(of.dialect).countOthers(
          subjectKey,
          digest,
          judgement.now,
          killsBelow,
        );
        if (integerOf(rows[0]?.['open']) >= limit) return 'too_many_api_tokens' as const;
      }
      yield apiTokens(of.dialect).insert(row);
      return undefined;
    });
    if (refused === undefined) return;
    const error = refusal(refused);
    this.meter.refuse(error);
    throw error;
  }

  private isOn(call: string): ResolvedApiTokens {
    const { apiTokens: on } = this.options;
    if (on !== undefined) return on;
    throw new AuthWiringError(
      `ApiTokenService.${call} was called, and opaque tokens are off.`,
      'Turn them on: AuthModule.forRoot({ apiTokens: true, … }).',
    );
  }
}
