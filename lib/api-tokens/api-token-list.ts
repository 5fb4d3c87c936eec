import { apiTokenOf, apiTokens, type ApiTokenPlace } from '../database/api-token.statements.js';
import type { ApiToken } from '../database/entities/auth-api-token.entity.js';
import type { Transaction } from '../database/statement.js';
import { findPage } from '../sessions/session-list.js';
import type { StoredSessions } from '../sessions/session-store.service.js';
import { endOfToken } from './api-token.js';

/** One API token of an account, as its owner can see it: without the token itself. @publicApi */
export interface ApiTokenInfo {
  /** The claim `jti`, and what `revoke` takes. Not a secret. */
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: Date;
  /** In steps of about an hour; `null` for one that was not used yet. */
  readonly lastUsedAt: Date | null;
  readonly expiresAt: Date;
}

/** API tokens, the newest first. @publicApi */
export type ApiTokenPage = ApiTokenInfo[] & {
  /** Pass it as `after` for the next page; absent on the last one. */
  readonly next?: string;
};

/** The part of a row that its owner can see. */
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
 * A page of an account's open tokens.
 *
 * @param isEnded - Whether the log has ended a token whose row does not show it yet.
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
