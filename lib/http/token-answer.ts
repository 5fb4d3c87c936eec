import type { LoginResult } from '../sessions/login-context.js';
import type { SessionInfo } from '../sessions/session-list.js';

/** What login and refresh answer, in the words of RFC 6749 section 5.1 and a few of our own. */
export interface TokenAnswer {
  /** Not where the tokens are in cookies, and neither are the next one and `refresh_token`. */
  readonly access_token?: string;
  readonly token_type?: 'Bearer';
  /** Seconds. */
  readonly expires_in: number;
  readonly refresh_token?: string;
  /** Seconds. */
  readonly refresh_expires_in?: number;
  /** When to renew, a little before the expiry (ISO 8601). */
  readonly refresh_at: string;
  readonly session_id: string;
}

/** One login in the list of an account's own. */
export interface SessionAnswer {
  readonly id: string;
  /** Whether the request itself belongs to it. */
  readonly current: boolean;
  readonly client: string | null;
  readonly device: string | null;
  readonly ip: string | null;
  readonly created_at: string;
  readonly last_seen_at: string;
  readonly expires_at: string;
}

/** @param delivery - `'cookie'` leaves the tokens out: a page's script has no business with them. */
export function tokenAnswer(login: LoginResult, delivery: 'body' | 'cookie'): TokenAnswer {
  const { accessToken, expiresIn, refreshToken, refreshExpiresIn, refreshAt, sessionId } = login;
  const inBody = delivery === 'body';
  return {
    ...(inBody ? { access_token: accessToken, token_type: 'Bearer' } : {}),
    expires_in: expiresIn,
    ...(inBody && refreshToken !== undefined ? { refresh_token: refreshToken } : {}),
    ...(refreshExpiresIn === undefined ? {} : { refresh_expires_in: refreshExpiresIn }),
    refresh_at: new Date(refreshAt).toISOString(),
    session_id: sessionId,
  };
}

/** @param currentId - The session of the request's own token. */
export function sessionAnswer(session: SessionInfo, currentId: string | undefined): SessionAnswer {
  const { id, client, device, ip, createdAt, lastSeenAt, expiresAt } = session;
  return {
    id,
    current: id === currentId,
    client,
    device,
    ip,
    created_at: createdAt.toISOString(),
    last_seen_at: lastSeenAt.toISOString(),
    expires_at: expiresAt.toISOString(),
  };
}
