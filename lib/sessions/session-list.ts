import { type AuthException, refusal } from '../errors/auth.exception.js';
import { sessionOf, type SessionPlace, type SessionRow } from '../database/session.statements.js';
import type { Row, Statement, Transaction } from '../database/statement.js';
import { isOpen, type StoredSessions } from './session-store.service.js';

/** The default `limit` of {@link SessionService.list}. */
const DEFAULT_LIMIT = 100;

/** The largest `limit`. */
const LARGEST_LIMIT = 1_000;

/** The fewest rows that are read at a time. */
const SMALLEST_READ = 50;

/**
 * The most rows that one page reads. After that it returns a cursor, so that an account with many
 * ended sessions cannot make one call expensive (S6).
 */
const MOST_READ = 2_000;

const TIME_BYTES = 8;
const KEY_BYTES = 16;
const SHAPE = /^[A-Za-z0-9_-]{32}$/;

/**
 * Which part of an account's sessions to list.
 *
 * @example
 * ```ts
 * const first = await this.sessions.list(userId, { limit: 20 });
 * const second = first.next && (await this.sessions.list(userId, { limit: 20, after: first.next }));
 * ```
 * @publicApi
 */
export interface SessionListOptions {
  /** The most sessions in the page: 1 to 1,000. @default 100 */
  readonly limit?: number | undefined;
  /** The `next` of the previous page. @default the newest session */
  readonly after?: string | undefined;
}

/** A page of sessions, newest first. @publicApi */
export type SessionPage = SessionInfo[] & {
  /**
   * The cursor of the next page: pass it as `after`. Absent on the last page. It is a place in the
   * order and not a session, so it stays valid if the session at that place ends.
   */
  readonly next?: string;
};

/**
 * Checks the options of a list.
 *
 * @throws AuthException 400 `invalid_request` for an invalid limit or cursor.
 */
export function readListOptions({ limit = DEFAULT_LIMIT, after }: SessionListOptions): {
  readonly limit: number;
  readonly after: SessionPlace | undefined;
} {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > LARGEST_LIMIT) {
    throw invalid(`The limit of a list of sessions is a whole number from 1 to ${LARGEST_LIMIT}.`);
  }
  return { limit, after: after === undefined ? undefined : placeOf(after) };
}

/**
 * A page of the open sessions or tokens of an account, newest first. Ended rows that are not
 * deleted yet are skipped, up to a limit. `next` is set while there may be more rows, also after a
 * short page.
 *
 * @param rowsAfter - Reads some rows, newest first.
 */
export function* findPage<Place, Found extends Place>(
  rowsAfter: (place: Place | undefined, limit: number) => Statement,
  readRow: (row: Row) => Found,
  isOpen: (found: Found) => boolean,
  after: Place | undefined,
  limit: number,
): Transaction<{ readonly page: Found[]; readonly next: Place | undefined }> {
  const page: Found[] = [];
  let place = after;
  for (let read = 0; read < MOST_READ;) {
    const batch = Math.max(limit - page.length + 1, SMALLEST_READ);
    const { rows } = yield rowsAfter(place, batch);
    for (const found of rows.map(readRow)) {
      const isListed = isOpen(found);
      if (isListed && page.length === limit) return { page, next: place };
      if (isListed) page.push(found);
      place = found;
    }
    if (rows.length < batch) return { page, next: undefined };
    read += rows.length;
  }
  return { page, next: place };
}

/** A page of an account's open sessions. */
export function* findSessions(
  of: StoredSessions,
  subjectKey: string,
  after: SessionPlace | undefined,
  limit: number,
): Transaction<{ readonly page: SessionRow[]; readonly next: SessionPlace | undefined }> {
  const judgement = yield* of.judge(subjectKey);
  return yield* findPage<SessionPlace, SessionRow>(
    (place, batch) => of.statements.pageOpen(subjectKey, place, batch),
    sessionOf,
    (session) => isOpen(session, judgement),
    after,
    limit,
  );
}

/** Whether a session is open and belongs to this account. */
export function* findOpen(
  of: StoredSessions,
  key: string,
  subjectKey: string,
): Transaction<boolean> {
  const { rows } = yield of.statements.findByKey(key);
  if (rows[0] === undefined) return false;
  const session = sessionOf(rows[0]);
  if (session.subjectKey !== subjectKey) return false;
  return isOpen(session, yield* of.judge(subjectKey));
}

/** Encodes a place as a cursor. It contains no secret. */
export function cursorOf({ createdAt, key }: SessionPlace): string {
  const bytes = Buffer.alloc(TIME_BYTES + KEY_BYTES);
  bytes.writeBigUInt64BE(BigInt(createdAt));
  bytes.write(key, TIME_BYTES, 'hex');
  return bytes.toString('base64url');
}

function placeOf(cursor: unknown): SessionPlace {
  const bytes = Buffer.from(
    typeof cursor === 'string' && SHAPE.test(cursor) ? cursor : '',
    'base64url',
  );
  const createdAt = bytes.length === 0 ? NaN : Number(bytes.readBigUInt64BE());
  if (!Number.isSafeInteger(createdAt)) {
    throw invalid('The cursor of a list of sessions is not one that this service gave.');
  }
  return { createdAt, key: bytes.toString('hex', TIME_BYTES) };
}

function invalid(message: string): AuthException {
  return refusal('invalid_request', { message });
}

/** One session of an account, as its owner can see it. @publicApi */
export interface SessionInfo {
  /** The claim `sid`, and the argument of `logoutSession`. It is not a secret. */
  readonly id: string;
  readonly client: string | null;
  /** The `grant` of the login; see {@link LoginContext}. */
  readonly grant: string | null;
  readonly device: string | null;
  /** The IP address of the login or the last refresh, without its last part. */
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly createdAt: Date;
  /** The time of the login or the last refresh. */
  readonly lastSeenAt: Date;
  /** When the session expires, however often it is refreshed. */
  readonly expiresAt: Date;
}

/** The columns of a row that its owner may see. */
export function sessionInfoOf(row: SessionRow): SessionInfo {
  return {
    id: row.sid,
    client: row.client,
    grant: row.grantId,
    device: row.device,
    ip: row.ip,
    userAgent: row.userAgent,
    createdAt: new Date(row.createdAt),
    lastSeenAt: new Date(row.lastSeenAt),
    expiresAt: new Date(row.expiresAt),
  };
}
