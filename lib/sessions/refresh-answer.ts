import type { LogPosition } from '../revocation/log/log-positions.js';
import type { SignedAccessToken } from './access-token.signer.js';
import type { LoginResult } from './login-context.js';
import type { RefreshToken } from './refresh-token.js';
import type { RefreshRow, SessionRow } from '../database/session-rows.js';

/** What a refresh answers with the successor that it made. */
export function answerOf(
  { text, expiresIn, refreshAt }: SignedAccessToken,
  { sid, isPersistent }: SessionRow,
  refreshToken: RefreshToken,
  { expiresAt }: RefreshRow,
  { now }: LogPosition,
): LoginResult {
  return {
    accessToken: text,
    expiresIn,
    refreshAt,
    sessionId: sid,
    ...(isPersistent ? {} : { persistent: false as const }),
    refreshToken,
    refreshExpiresIn: Math.max(0, Math.floor((expiresAt - now) / 1000)),
  };
}

/**
 * What a refresh answers with the successor that an earlier answer carried.
 *
 * Where that successor was replaced meanwhile, another tab is a step ahead. This one catches up while
 * that step has its grace; a browser's one cookie holds the later token already, and must not be set
 * back.
 */
export function repeatedAnswerOf(
  signed: SignedAccessToken,
  session: SessionRow,
  successor: RefreshToken,
  row: RefreshRow,
  since: LogPosition,
): LoginResult {
  const answer = answerOf(signed, session, successor, row, since);
  if (row.replacedAt === null) return answer;
  if (session.delivery === 'body') return { ...answer, refreshAt: since.now };
  const { refreshToken: _, ...access } = answer;
  return access;
}
