import { apiTokenOf, apiTokens, type ApiTokenPlace } from '../database/api-token.statements.js';
import type { ApiToken } from '../database/entities/auth-api-token.entity.js';
import type { Transaction } from '../database/statement.js';
import { findPage } from '../sessions/session-list.js';
import type { StoredSessions } from '../sessions/session-store.service.js';
import { endOfToken } from './api-token.js';

/** An API token as its owner sees it, without the token itself. @publicApi */
export interface ApiTokenInfo {
  /** The `jti` claim, and the argument of `revoke`. It is not a secret. */
  readonly id: string;
  /** The label from {@link ApiTokenService.issue}. */
  readonly name: string;
  /** The scopes of the token; empty if it has none. */
  readonly scopes: readonly string[];
  /** When the token was issued, by the database's clock. */
  readonly createdAt: Date;
  /** When the token was last used, accurate to about an hour; `null` if it was never used. */
  readonly lastUsedAt: Date | null;
  /** When the token expires. It cannot be extended. */
  readonly expiresAt: Date;
}

/** A page of API tokens, newest first. @publicApi */
export type ApiTokenPage = ApiTokenInfo[] & {
  /** The cursor of the next page: pass it as `after`. It is absent on the last page. */
  readonly next?: string;
};

/** The columns of a row that the owner may see: not the digest, the claims and the keys. */
export function apiTokenInfoOf(row: ApiToken): ApiTokenInfo {
  return {
    id: row.id,
    name: row.name,
    scopes: row.scope?.split(' ') ?? [],
    createdAt: new Date(row.createdAt),
    lastUsedAt: row.lastUsedAt === null ? null : new Date(row.lastUsedAt),
    expiresAt: new Date(row.expiresAt),
  };
}

/**
 * Reads one page of an account's active tokens. It reads several batches of rows if it has to skip tokens that
 * have expired or were revoked.
 *
 * @param isEnded - Whether the log has revoked a token whose row does not show it yet.
 */
export function* findTokens(
  of: StoredSessions,
  subjectKey: string,
  after: ApiTokenPlace | undefined,
  limit: number,
  isEnded: (token: ApiToken) => boolean,
): Transaction<{ readonly page: ApiToken[]; readonly next: ApiTokenPlace | undefined }> {
  const judgement = yield* of.judge(subjectKey);
  return yield* findPage<ApiTokenPlace, ApiToken>(
    (place, batch) => apiTokens(of.dialect).pageOpen(subjectKey, place, batch),
    apiTokenOf,
    (token) =>
      token.expiresAt > judgement.now &&
      endOfToken(token, judgement) === undefined &&
      !isEnded(token),
    after,
    limit,
  );
}
