import { setImmediate } from 'node:timers/promises';
import type { Row, Statement, Transaction } from '../database/statement.js';
import type { PurgeSweep } from '../revocation/log/revocation-purge.service.js';
import type { StoredSessions } from './session-store.service.js';

/** The most rows that one transaction changes. They are chosen without locks and changed by key. */
export const RANGE = 500;

/**
 * How much longer than any token the cut-offs of an account are kept (ms). It must be longer than a
 * login may take from the read of its position to its commit (one hour), or a login could miss a
 * cut-off.
 */
const MARK_MARGIN = 86_400_000;

/** The statements that find and delete sessions. */
export type SessionTables = Pick<StoredSessions, 'statements' | 'accounts'>;

/** Reads and writes the rows of sessions, for an instance or for the command `nestjs-logout`. */
export interface SessionRows {
  read(statement: (of: SessionTables) => Statement): Promise<readonly Row[]>;
  write<T>(body: (of: SessionTables) => Transaction<T>): Promise<T>;
}

/** Finds some rows. */
export type Find = (of: SessionTables) => Statement;

/** Changes or deletes rows that were found; returns how many were deleted. */
export type Change = (of: SessionTables, found: readonly Row[]) => Transaction<number>;

/**
 * Changes all rows of one kind, {@link RANGE} in one transaction. Between two transactions,
 * requests get a turn of the event loop.
 */
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

/**
 * The keys of rows in ascending order, so that two sweeps lock rows in the same order and never
 * deadlock.
 */
export function keysIn(rows: readonly Row[], column: string): string[] {
  return rows.map((row) => row[column] ?? '').toSorted();
}

/**
 * Deletes what is left of ended sessions: their rows after `historyFor`, used refresh tokens once
 * they have expired, encrypted successors once their grace is over, and cut-offs that no longer
 * affect a session.
 *
 * @param kept - How long the history of ended sessions is kept, and the longest lifetime of a token
 * (ms).
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

/** Deletes sessions with all their refresh tokens. Returns the number of deleted sessions. */
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
