import type { AuthClock } from '../platform/auth-clock.js';
import type { LogEvent, LogEventKind, RevocationReason } from './revocation-event.js';
import { REVOCATION_REASONS } from './revocation-event.js';
import type { Row } from './statement.js';

/** The head of the log as one statement saw it. */
export interface Head {
  readonly position: number;
  /** `null` while the log is empty. */
  readonly lastEventId: string | null;
  /** Rows at or below it may be gone; above it there are no gaps. */
  readonly purgedThrough: number;
  readonly format: number;
  readonly maxStaleness: number;
  readonly maxTokenLife: number;
  /** Which server it was last written on, and which one answered; `null` where servers have no names. */
  readonly server: string | null;
  readonly serverNow: string | null;
  /** Whether a standby or a replica answered: what it says may be old. */
  readonly isReadOnly: boolean;
  /** Database time, epoch ms. */
  readonly now: number;
}

/** What is known of an event before it has its position: the row of `auth_pending`. */
export interface PendingRow {
  readonly id: string;
  readonly kind: LogEventKind;
  readonly key: string;
  readonly except: string | null;
  readonly accessOnly: boolean;
  /** `token`: the token's own expiry in epoch ms. */
  readonly expiresAt: number | null;
  /**
   * For how many ms its writer must have it remembered, whatever the head has registered: at least its
   * own longest token life, or a foreign issuer's longest session. `null` where the event never ends.
   */
  readonly life: number | null;
  /** Milliseconds added to the database's time for `issuedBefore`. */
  readonly skew: number;
  readonly reason: RevocationReason;
  readonly actor: string | null;
}

/** An event on its way into the log. */
export interface EventDraft extends PendingRow {
  /** Kept from an attempt whose outcome is unknown and was reported, so that a late settlement does
   * not end newer logins (G3). */
  killsBelow: number | null;
  /** Where the last attempt put it; what a provisional outcome is judged by (W4). */
  attemptedAt: number | null;
  /** A look under the head lock showed that no earlier attempt was committed. */
  provenAbsent: boolean;
  /** It is written only while the format of the log is lower. */
  readonly belowFormat?: number | undefined;
  /** What the event does to its account beside ending its sessions. */
  readonly account?: AccountChange | undefined;
}

/** Whether an account may log in again, and from when; judged by the database's clock. */
export interface AccountChange {
  /** Epoch ms. */
  readonly lockUntil?: number | undefined;
  /** Milliseconds from the commit on. */
  readonly lockFor?: number | undefined;
  readonly disable?: boolean | undefined;
}

const REASONS: ReadonlySet<string> = new Set(REVOCATION_REASONS);

/** @throws RangeError beyond 2^53: a position that JavaScript cannot hold must never be rounded. */
export function integerOf(text: string | null | undefined): number {
  const value = Number(text);
  if (text === null || text === undefined || !Number.isSafeInteger(value)) {
    throw new RangeError(`The revocation log holds "${text}" where a safe integer belongs.`);
  }
  return value;
}

function optionalInteger(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : integerOf(text);
}

function textOf(text: string | null | undefined): string {
  return text ?? '';
}

/** @throws Error without a row: whoever deleted it has damaged the log. */
export function headOf(row: Row | undefined, clock: Pick<AuthClock, 'database'>): Head {
  if (row === undefined) {
    throw new Error('The table auth_log or auth_head has lost its row; the log is damaged.');
  }
  return {
    position: integerOf(row['head_position']),
    lastEventId: row['last_event_id'] ?? null,
    purgedThrough: integerOf(row['purged_through']),
    format: integerOf(row['format']),
    maxStaleness: integerOf(row['max_staleness']),
    maxTokenLife: integerOf(row['max_token_life']),
    server: row['server'] ?? null,
    serverNow: row['server_now'] ?? null,
    isReadOnly: row['read_only'] === '1',
    now: clock.database(integerOf(row['now'])),
  };
}

/** An event of the log, or a pending one (position `null`). */
export function eventOf(row: Row): LogEvent {
  const reason = textOf(row['reason']);
  return {
    position: optionalInteger(row['event_position']),
    id: textOf(row['event_id']),
    kind: textOf(row['kind']) as LogEventKind,
    key: textOf(row['event_key']),
    killsBelow: optionalInteger(row['kills_below']),
    except: row['except_key'] ?? null,
    accessOnly: row['access_only'] === '1',
    issuedBefore: optionalInteger(row['issued_before']),
    until: optionalInteger(row['keep_until']),
    // A reason that a newer release added is told to nobody, but its event counts all the same.
    reason: REASONS.has(reason) ? (reason as RevocationReason) : 'unspecified',
  };
}

/** One row of `auth_pending`. */
export function pendingOf(row: Row): PendingRow {
  return {
    ...eventOf(row),
    expiresAt: optionalInteger(row['expires_at']),
    life: optionalInteger(row['life']),
    skew: integerOf(row['skew']),
    actor: row['actor'] ?? null,
  };
}
