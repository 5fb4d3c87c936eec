import { newRefreshRow, type RefreshRow, type SessionRow } from '../database/session-rows.js';
import type { ResolvedAuthOptions } from '../options/resolved-auth-options.js';
import type { EventKeys } from '../revocation/index/event-key.js';
import type { LogPosition } from '../revocation/log/log-positions.js';
import type { SignedAccessToken } from './access-token.signer.js';
import { cut, type LoginContext, truncateAddress } from './login-context.js';
import { type RefreshToken, refreshTokenDigest } from './refresh-token.js';

/** The rows of a login, and the first refresh token, which stands in none of them. */
export interface NewSession {
  readonly session: SessionRow;
  readonly refresh: RefreshRow | null;
  readonly token: RefreshToken | undefined;
}

/** Makes the rows of a login; all of its times begin where its position was read (G2). */
export function newSession(
  { issuer, sessionIdleTtl, refreshTokenTtl }: ResolvedAuthOptions,
  keys: EventKeys,
  who: { readonly subject: string; readonly sid: string },
  { position, now }: LogPosition,
  signed: SignedAccessToken,
  { context, end }: { readonly context: LoginContext; readonly end: number },
  token: RefreshToken,
): NewSession {
  const tokenEnd = now + signed.expiresIn * 1000;
  const refreshEnd = Math.min(now + Math.min(refreshTokenTtl, sessionIdleTtl), end);
  const isRefreshed = refreshTokenTtl > 0;
  const session: SessionRow = {
    key: keys.hex('session', issuer, who.sid),
    sid: who.sid,
    subjectKey: keys.hex('subject', issuer, who.subject),
    subject: who.subject,
    gen: position,
    kid: signed.kid,
    client: cut(context.client),
    device: cut(context.device),
    ip: truncateAddress(context.ip),
    userAgent: cut(context.userAgent),
    delivery: context.delivery ?? 'body',
    createdAt: now,
    lastSeenAt: now,
    idleUntil: isRefreshed ? refreshEnd : tokenEnd,
    expiresAt: isRefreshed ? end : tokenEnd,
    endedAt: null,
    endReason: null,
    isPersistent: context.persistent !== false,
    retriesUntil: null,
  };
  if (!isRefreshed) return { session, refresh: null, token: undefined };
  const refresh = newRefreshRow(refreshTokenDigest(token), session.key, 1, refreshEnd);
  return { session, refresh, token };
}
