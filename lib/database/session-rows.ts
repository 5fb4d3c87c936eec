import type { RevocationReason } from './revocation-event.js';
import { reasonOf } from './account.statements.js';
import type { ColumnType } from './dialect.js';
import { integerOf } from './log-rows.js';
import type { Row } from './statement.js';

/** How a refresh token was handed over, and the only way in which it is taken back. */
export type Delivery = 'body' | 'cookie';

/** One login; all times are epoch milliseconds by the database's clock. */
export interface SessionRow {
  /** What the log calls it: the key of its `session` event. */
  readonly key: string;
  readonly sid: string;
  readonly subjectKey: string;
  readonly subject: string;
  /** The log's position before its authority was checked (G6). */
  readonly gen: number;
  /** The key that signed last. */
  readonly kid: string;
  readonly client: string | null;
  readonly device: string | null;
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly delivery: Delivery;
  readonly createdAt: number;
  readonly lastSeenAt: number;
  /** Until when it can be refreshed, unless that happens before. */
  readonly idleUntil: number;
  /** Its absolute end, which no refresh moves. */
  readonly expiresAt: number;
  readonly endedAt: number | null;
  readonly endReason: RevocationReason | null;
  /** Whether its cookies outlive the browser; NULL, as an older release writes it, is yes. */
  readonly isPersistent: boolean;
  /** When all proven retries until now count no longer; `null` before the first. */
  readonly retriesUntil: number | null;
}

/** A place in an account's sessions, which are ordered by time and then by key. */
export type SessionPlace = Pick<SessionRow, 'createdAt' | 'key'>;

/** One refresh token of a session; the token itself is not here. */
export interface RefreshRow {
  /** SHA-256 of the token. */
  readonly digest: string;
  readonly sessionKey: string;
  /** The how-manieth of its session, from 1. */
  readonly number: number;
  readonly expiresAt: number;
  readonly replacedAt: number | null;
  /** `null` where there is no grace, or where it is over and the successor was forgotten. */
  readonly graceUntil: number | null;
  /** How often somebody without a proof was given the successor again. */
  readonly retries: number;
  /** The successor, under a key that only the holder of this token can derive. */
  readonly sealedSuccessor: string | null;
  /** The digest of the idempotency key with which it was used; `null` without one. */
  readonly retryDigest: string | null;
  /** The successor again, under a key that needs the idempotency key as well; kept with the row. */
  readonly retrySealed: string | null;
}

/** What is kept of an idempotency key. */
export interface RetryProof {
  readonly digest: string;
  /** The successor, under a key that needs the idempotency key. */
  readonly sealed: string;
}

/** The row of a token that nobody has used. */
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

/** The columns of `auth_session`. */
export const SESSION_COLUMNS: readonly ColumnType[] = [
  ['session_key', 'bytes'],
  ['sid', 'text'],
  ['subject_key', 'bytes'],
  ['subject', 'text'],
  ['gen', 'bigint'],
  ['kid', 'text'],
  ['client', 'text'],
  ['device', 'text'],
  ['ip', 'text'],
  ['user_agent', 'text'],
  ['delivery', 'text'],
  ['created_at', 'bigint'],
  ['last_seen_at', 'bigint'],
  ['idle_until', 'bigint'],
  ['expires_at', 'bigint'],
  ['ended_at', 'bigint'],
  ['end_reason', 'text'],
  ['persistent', 'bigint'],
  ['retries_until', 'bigint'],
];

/** The columns of `auth_refresh`. */
export const REFRESH_COLUMNS: readonly ColumnType[] = [
  ['token_digest', 'bytes'],
  ['session_key', 'bytes'],
  ['number', 'bigint'],
  ['expires_at', 'bigint'],
  ['replaced_at', 'bigint'],
  ['grace_until', 'bigint'],
  ['retries', 'bigint'],
  ['sealed_successor', 'bytes'],
  ['retry_digest', 'bytes'],
  ['retry_sealed', 'bytes'],
];

/** One row of `auth_session`. */
export function sessionOf(row: Row): SessionRow {
  return {
    key: row['session_key'] ?? '',
    sid: row['sid'] ?? '',
    subjectKey: row['subject_key'] ?? '',
    subject: row['subject'] ?? '',
    gen: integerOf(row['gen']),
    kid: row['kid'] ?? '',
    client: row['client'] ?? null,
    device: row['device'] ?? null,
    ip: row['ip'] ?? null,
    userAgent: row['user_agent'] ?? null,
    delivery: row['delivery'] === 'cookie' ? 'cookie' : 'body',
    createdAt: integerOf(row['created_at']),
    lastSeenAt: integerOf(row['last_seen_at']),
    idleUntil: integerOf(row['idle_until']),
    expiresAt: integerOf(row['expires_at']),
    endedAt: optionalInteger(row['ended_at']),
    endReason: row['end_reason'] === null ? null : reasonOf(row['end_reason']),
    isPersistent: row['persistent'] !== '0',
    retriesUntil: optionalInteger(row['retries_until']),
  };
}

/** One row of `auth_refresh`. */
export function refreshOf(row: Row): RefreshRow {
  return {
    digest: row['token_digest'] ?? '',
    sessionKey: row['session_key'] ?? '',
    number: integerOf(row['number']),
    expiresAt: integerOf(row['expires_at']),
    replacedAt: optionalInteger(row['replaced_at']),
    graceUntil: optionalInteger(row['grace_until']),
    retries: integerOf(row['retries']),
    sealedSuccessor: row['sealed_successor'] ?? null,
    retryDigest: row['retry_digest'] ?? null,
    retrySealed: row['retry_sealed'] ?? null,
  };
}

function optionalInteger(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : integerOf(text);
}
