import { AuthSession, RefreshToken } from './entities/auth-session.entity.js';
import { reader } from './entities/table.js';

/** One login. */
export type SessionRow = AuthSession;

/** One refresh token of a session. */
export type RefreshRow = RefreshToken;

/** A place in an account's sessions, which are ordered by time and then by key. */
export type SessionPlace = Pick<SessionRow, 'createdAt' | 'key'>;

/** What is kept of an idempotency key. */
export interface RetryProof {
  readonly digest: string;
  /** The successor, under a key that needs the idempotency key. */
  readonly sealed: string;
}

/** The row of a token that was not used yet. */
export function newRefreshRow(
  digest: string,
  sessionKey: string,
  number: number,
  expiresAt: number,
): RefreshRow {
  return {
    digest,
    sessionKey,
    number,
    expiresAt,
    replacedAt: null,
    graceUntil: null,
    retries: 0,
    sealedSuccessor: null,
    retryDigest: null,
    retrySealed: null,
  };
}

/** One row of `auth_session`. */
export const sessionOf = reader(AuthSession);

/** One row of `auth_refresh`. */
export const refreshOf = reader(RefreshToken);
