import { apiTokenOf, apiTokens, type ApiTokenPlace } from '../database/api-token.statements.js';
import type { ApiToken } from '../database/entities/auth-api-token.entity.js';
import type { Transaction } from '../database/statement.js';
import type { StoredSessions } from '../sessions/session-store.service.js';
import { endOfToken } from './api-token.js';

/** Rows of a list that are read at a time, at least. */
const SMALLEST_READ = 50;

/** Rows that one page skips or returns; after them the caller asks again. */
const MOST_READ = 2_000;

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
 * Open tokens of an account, the newest first. Rows that have ended and are not deleted yet are skipped, but
 * only so many: `next` is there while there may be more, also after a short page.
 *
 * @param isEnded - Whether the log has ended a token whose row does not show it yet.
 */
export function* findTokens(
  of: StoredSessions,
  subjectKey: string,
  after: ApiTokenPlace | undefined,
  limit: number,
  isEnded: (token: ApiToken) => boolean,
): Transaction<{ readonly tokens: ApiToken[]; readonly next: ApiTokenPlace | undefined }> {
  const judgement = yield* of.judge(subjectKey);
  const isOpen = (token: ApiToken): boolean =>
    token.expiresAt > judgement.now &&
    endOfToken(token, judgement) === undefined &&
    !isEnded(token);
  const tokens: ApiToken[] = [];
  let place = after;
  for (let read = 0; read < MOST_READ;) {
    const batch = Math.max(limit - tokens.length + 1, SMALLEST_READ);
    const { rows } = yield apiTokens(of.dialect).pageOpen(subjectKey, place, batch);
    for (const token of rows.map(apiTokenOf)) {
      const continues = isOpen(token);
      if (continues && tokens.length === limit) return { tokens, next: place };
      if (continues) tokens.push(token);
      place = token;
    }
    if (rows.length < batch) return { tokens, next: undefined };
    read += rows.length;
  }
  return { tokens, next: place };
}
