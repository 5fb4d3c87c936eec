import { setImmediate } from 'node:timers/promises';
import type { Row, Statement, Transaction } from '../database/statement.js';
import type { PurgeSweep } from '../revocation/log/purge-log.js';
import type { SessionTransactions } from './session.transactions.js';

/** Rows chosen without locks and deleted by key in one transaction. */
const RANGE = 500;

/**
 * How much longer than any token an account's marks are kept (ms): longer than a login may take, from
 * the reading of its position to its end.
 */
const MARK_MARGIN = 86_400_000;

/** One sort of rows: how some are found, and how these are deleted. */
interface Sweep {
  readonly find: (of: SessionTransactions) => Statement;
  readonly key: string;
  readonly erase: (of: SessionTransactions, keys: readonly string[]) => Transaction<number>;
}

/** How the rows of sessions are read and written. */
export interface SessionRows {
  read(statement: (of: SessionTransactions) => Statement): Promise<readonly Row[]>;
  write<T>(body: (of: SessionTransactions) => Transaction<T>): Promise<T>;
}

/**
 * Deletes what is left of logins that have ended: their rows after `historyFor`, used refresh tokens
 * when they have expired, sealed successors when their grace is over, marks that end no session.
 *
 * @param kept - For how long (ms): the history of ended logins, and the longest life of a token.
 */
export function sessionSweep(
  rows: SessionRows,
  kept: { readonly historyFor: number; readonly maxTokenLife: number },
): PurgeSweep {
  return async (now, isStopped, onDeleted) => {
    for (const { find, key, erase } of sweeps(now, kept)) {
      for (let found = RANGE; found === RANGE && !isStopped();) {
        const these = await rows.read(find);
        found = these.length;
        if (found === 0) break;
        const keys = these.map((row) => row[key] ?? '').toSorted();
        await onDeleted(await rows.write((of) => erase(of, keys)));
        await setImmediate();
      }
    }
  };
}

function sweeps(
  now: number,
  { historyFor, maxTokenLife }: { readonly historyFor: number; readonly maxTokenLife: number },
): Sweep[] {
  const over = now - historyFor;
  const markedBefore = now - maxTokenLife - MARK_MARGIN;
  const sessions = (find: Sweep['find']): Sweep => ({
    find,
    key: 'session_key',
    erase: (of, keys) => of.erase(keys),
  });
  const traces = (what: 'graceUntil' | 'expiresAt'): Sweep => ({
    find: ({ statements }) => statements.findTraces(what, now, RANGE),
    key: 'token_digest',
    erase: (of, digests) => of.forgetTraces(what, digests),
  });
  return [
    sessions(({ statements }) => statements.findOver('endedAt', over, RANGE)),
    sessions(({ statements }) => statements.findOver('idleUntil', over, RANGE)),
    sessions(({ statements }) => statements.findMarked(over, RANGE)),
    traces('graceUntil'),
    traces('expiresAt'),
    {
      find: ({ accounts }) => accounts.findForgettable(markedBefore, now, RANGE),
      key: 'subject_key',
      erase: (of, keys) => of.forgetAccounts(keys, markedBefore, now),
    },
  ];
}
