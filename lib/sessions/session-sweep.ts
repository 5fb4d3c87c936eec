import { setImmediate } from 'node:timers/promises';
import type { Row, Statement, Transaction } from '../database/statement.js';
import type { PurgeSweep } from '../revocation/log/revocation-purge.service.js';
import type { StoredSessions } from './session-store.service.js';

/** Rows chosen without locks and changed by key in one transaction. */
export const RANGE = 500;

/**
 * How much longer than any token the cut-offs of an account are kept (ms): longer than a login may take,
 * from the read of its position to its end.
 */
const MARK_MARGIN = 86_400_000;

/** The statements that sessions are found and deleted by. */
export type SessionTables = Pick<StoredSessions, 'statements' | 'accounts'>;

/** How the rows of sessions are read and written: by an instance, or by the command. */
export interface SessionRows {
  read(statement: (of: SessionTables) => Statement): Promise<readonly Row[]>;
  write<T>(body: (of: SessionTables) => Transaction<T>): Promise<T>;
}

/** How some rows are found. */
export type Find = (of: SessionTables) => Statement;

/** Changes or deletes rows that were found; returns how many were deleted. */
export type Change = (of: SessionTables, found: readonly Row[]) => Transaction<number>;

/** Changes all rows of one kind, {@link RANGE} in one transaction. */
export async function changeAll(
  rows: SessionRows,
  find: Find,
  change: Change,
  isStopped: () => boolean = () => false,
  onDeleted?: (count: number) => Promise<void>,
): Promise<void> {
  for (let found = RANGE; found === RANGE && !isStopped();) {
    const these = await rows.read(find);
    found = these.length;
    if (found === 0) return;
    const deleted = await rows.write((of) => change(of, these));
    await onDeleted?.(deleted);
    await setImmediate();
  }
}

/** The keys of rows, in one order, so that two sweeps never deadlock. */
export function keysIn(rows: readonly Row[], column: string): string[] {
  return rows.map((row) => row[column] ?? '').toSorted();
}

/**
 * Deletes what is left of sessions that have ended: their rows after `historyFor`, used refresh tokens
 * when they have expired, sealed successors when their grace is over, cut-offs that end no session.
 *
 * @param kept - For how long (ms): the history of ended sessions, and the longest lifetime of a token.
 */
export function sessionSweep(
  rows: SessionRows,
  kept: { readonly historyFor: number; readonly maxTokenLife: number },
): PurgeSweep {
  return async (now, isStopped, onDeleted) => {
    for (const [find, change] of sweeps(now, kept)) {
      await changeAll(rows, find, change, isStopped, onDeleted);
    }
  };
}

/** Deletes sessions with all their refresh tokens; gives how many sessions there were. */
export function* eraseSessions(
  { statements }: SessionTables,
  found: readonly Row[],
): Transaction<number> {
  const keys = keysIn(found, 'session_key');
  const [erase, eraseTokens] = statements.erase;
  const { affected } = yield erase(keys);
  yield eraseTokens(keys);
  return affected;
}

function sweeps(
  now: number,
  { historyFor, maxTokenLife }: { readonly historyFor: number; readonly maxTokenLife: number },
): [Find, Change][] {
  const over = now - historyFor;
  const markedBefore = now - maxTokenLife - MARK_MARGIN;
  const traces = (what: 'graceUntil' | 'expiresAt'): [Find, Change] => [
    ({ statements }) => statements.findTraces[what](now, RANGE),
    function* ({ statements }, found) {
      return (yield statements.forgetTraces[what](keysIn(found, 'token_digest'))).affected;
    },
  ];
  return [
    [({ statements }) => statements.findOver.endedAt(over, RANGE), eraseSessions],
    [({ statements }) => statements.findOver.idleUntil(over, RANGE), eraseSessions],
    [({ statements }) => statements.findMarked(over, RANGE), eraseSessions],
    traces('graceUntil'),
    traces('expiresAt'),
    [
      ({ accounts }) => accounts.findForgettable(markedBefore, now, RANGE),
      function* ({ accounts }, found) {
        return (yield accounts.forget(keysIn(found, 'subject_key'), markedBefore, now)).affected;
      },
    ],
  ];
}
