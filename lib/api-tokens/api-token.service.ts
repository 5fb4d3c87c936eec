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
  /** The token itself. It is shown once: only a digest is stored. */
  readonly token: string;
  readonly info: ApiTokenInfo;
}

/** What {@link ApiTokenService.revoke} takes beside {@link LogoutOptions}. @publicApi */
export interface RevokeApiTokenOptions extends LogoutOptions {
  /** Whose token it must be: for the token of another account the answer is 404, and nothing happens. */
  readonly subject?: string | number | bigint | undefined;
}

/**
 * Opaque tokens for scripts and other services, which live for months and end at once: `AccessTokenGuard`
 * accepts them. Needs the option `apiTokens`.
 *
 * `logoutAll`, `lock`, `disable`, `remove`, `passwordChanged` and `revokeEveryone` end them as they end
 * sessions. `claimsChanged` does not: what a token may do was said when it was issued.
 *
 * @throws AuthWiringError where the option `apiTokens` is off.
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
   * Makes a token for an account. Anyone who has it can act as the account until it expires.
   *
   * @throws AuthUnauthorizedException `account_locked`, `account_disabled`; `session_ended` for an account
   * that was logged out everywhere since the position `since` was read.
   * @throws AuthException 400 `invalid_subject`, and `invalid_request` for a name, a scope or a lifetime
   * that is not valid; 409 `too_many_api_tokens` beyond `apiTokens.limit`.
   * @throws AuthWiringError for claims that look like secrets or that the library sets.
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
   * A page of the account's tokens that are good, the newest first.
   *
   * @throws AuthException 400 `invalid_request` for a limit or a cursor that is not valid.
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
   * Ends one token, by its id or by its text.
   *
   * @throws AuthException 404 `not_found` where there is no such token, or it is not the account's.
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
    // Its event is kept for as long as the token could be used, so the row may follow later (O3).
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

  private async findById(id: string): Promise<ApiToken | undefined> {
    const key = this.keys.hex('token', this.options.issuer, id);
    const [row] = await this.store.read(({ dialect }) => apiTokens(dialect).findByKey(key));
    return row && apiTokenOf(row);
  }

  /** What was committed on this instance, and what polls have shown of the others. */
  private isEnded({ id: jti, subject: sub, gen }: ApiToken): boolean {
    return this.index.find({ iss: this.options.issuer, sub, jti, gen }, NO_KEY, true) !== undefined;
  }

  private async insert(row: ApiToken, limit: number): Promise<void> {
    const { digest, gen, subjectKey } = row;
    const refused = await this.store.write(function* (of) {
      // It locks the account: two that are issued at once would not see each other.
      if (limit < Infinity) yield of.accounts.insertMissing([subjectKey]);
      const judgement = yield* of.judge(subjectKey);
      const lock = refusalOf(judgement);
      if (lock !== undefined) return `account_${lock}` as const;
      const { account, issuer } = judgement;
      // It would be ended from the start (G1), so nothing of it is stored.
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
