import type { SessionRow } from '../database/session-rows.js';

/** One of an account's logins, as its owner may see it. @publicApi */
export interface SessionInfo {
  /** The claim `sid`. */
  readonly id: string;
  readonly client: string | null;
  readonly device: string | null;
  /** Without its last part. */
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly createdAt: Date;
  /** Its login or its last refresh. */
  readonly lastSeenAt: Date;
  /** Its absolute end. */
  readonly expiresAt: Date;
}

/** What of a row its owner may see. */
export function sessionInfoOf(row: SessionRow): SessionInfo {
  return {
    id: row.sid,
    client: row.client,
    device: row.device,
    ip: row.ip,
    userAgent: row.userAgent,
    createdAt: new Date(row.createdAt),
    lastSeenAt: new Date(row.lastSeenAt),
    expiresAt: new Date(row.expiresAt),
  };
}
