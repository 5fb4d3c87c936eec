import type { AuthClock } from '../platform/auth-clock.js';
import { AuthHead } from './entities/auth-log.entity.js';
import {
  type LogEvent,
  type LogEventKind,
  PendingEvent,
  reasonOf,
  RevocationEvent,
} from './entities/revocation-event.entity.js';
import { integerOf, reader } from './entities/table.js';
import { type Row } from './statement.js';

/** What every reader of the head needs of it. */
export const HEAD_PROPERTIES = [
  'position',
  'lastEventId',
  'purgedThrough',
  'format',
  'maxStaleness',
  'maxTokenLife',
  'server',
] as const satisfies readonly (keyof AuthHead)[];

/** What decides about tokens: an event without its writer and the time of its writing. */
export const EVENT_PROPERTIES = [
  'position',
  'id',
  'kind',
  'key',
  'killsBelow',
  'except',
  'accessOnly',
  'issuedBefore',
  'until',
  'reason',
] as const satisfies readonly (keyof RevocationEvent)[];

/** The head of the log as one statement saw it. */
export interface Head extends Pick<AuthHead, (typeof HEAD_PROPERTIES)[number]> {
  /** Which server answered; `null` where servers have no identity. */
  readonly serverNow: string | null;
  /** Whether a standby or a replica answered: what it reports may be old. */
  readonly isReadOnly: boolean;
  /** Database time, epoch ms. */
  readonly now: number;
}

/** What is known of an event before it has its position. */
export type PendingRow = PendingEvent;

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

const readHead = reader(AuthHead, HEAD_PROPERTIES);

/** @throws Error without a row: whoever deleted it has damaged the log. */
export function headOf(row: Row | undefined, clock: Pick<AuthClock, 'database'>): Head {
  if (row === undefined) {
    throw new Error('The table auth_log or auth_head has lost its row; the log is damaged.');
  }
  return {
    ...readHead(row),
    serverNow: row['server_now'] ?? null,
    isReadOnly: row['read_only'] === '1',
    now: clock.database(integerOf(row['now'])),
  };
}

/**
 * An event of the log, or a pending one (position `null`). Written out: a cold start reads 100,000 of
 * them, and {@link reader} takes five times as long. `test/unit/database/log-rows.spec.ts` compares the two.
 */
export function eventOf(row: Row): LogEvent {
  return {
    position: optionalInteger(row['event_position']),
    id: row['event_id'] ?? '',
    kind: row['kind'] as LogEventKind,
    key: row['event_key'] ?? '',
    killsBelow: optionalInteger(row['kills_below']),
    except: row['except_key'] ?? null,
    accessOnly: row['access_only'] === '1',
    issuedBefore: optionalInteger(row['issued_before']),
    until: optionalInteger(row['keep_until']),
    reason: reasonOf(row['reason']),
  };
}

function optionalInteger(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : integerOf(text);
}

/** One row of `auth_pending`. */
export const pendingOf = reader(PendingEvent);
