import { setImmediate } from 'node:timers/promises';
import type { Row, Statement, Transaction } from '../database/statement.js';
import type { PurgeSweep } from '../revocation/log/revocation-purge.service.js';
import type { StoredSessions } from './session-store.service.js';

/** Rows chosen without locks and deleted by key in one transaction. */
const RANGE = 500;

/**
 * How much longer than any token the cut-offs of an account are kept (ms): longer than a login may take,
 * from the read of its position to its end.
 */
const MARK_MARGIN = 86_400_000;

/** One kind of rows: how some are found, and how these are deleted. */
interface Sweep {
  readonly find: (of: SessionTables) => Statement;
  readonly key: string;
  readonly erase: (of: SessionTables, keys: readonly string[]) => Transaction<number>;
}

/** The statements that sessions are found and deleted by. */
export type SessionTables = Pick<StoredSessions, 'statements' | 'accounts'>;

/** How the rows of sessions are read and written: by an instance, or by the command. */
export interface SessionRows {
  read(statement: (of: SessionTables) => Statement): Promise<readonly Row[]>;
  write<T>(body: (of: SessionTables) => Transaction<T>): Promise<T>;
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
    for (const { find, key, erase } of sweeps(now, kept)) {
      for (let found = RANGE; found === RANGE && !isStopped();) {
        const these = await rows.read(find);
        found = these.length;
        if (found === 0) break;
        // In one order, so that two purges never deadlock.
        const keys = these.map((row) => row[key] ?? '').toSorted();
        await onDeleted(await rows.write((of) => erase(of, keys)));
        await setImmediate();
      }
    }
  };
}

/** Deletes sessions by key, with all their refresh tokens; gives how many sessions there were. */
export function* eraseSessions(
  { statements }: SessionTables,
  keys: readonly string[],
): Transaction<number> {
  const [erase, eraseTokens] = statements.erase;
  const { affected } = yield erase(keys);
  yield eraseTokens(keys);
  return affected;
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
    erase: eraseSessions,
  });
  const traces = (what: 'graceUntil' | 'expiresAt'): Sweep => ({
    find: ({ statements }) => statements.findTraces[what](now, RANGE),
    key: 'token_digest',
    *erase({ statements }, digests) {
      return (yield statements.forgetTraces[what](digests)).affected;
    },
  });
  return [
    sessions(({ statements }) => statements.findOver.endedAt(over, RANGE)),
    sessions(({ statements }) => statements.findOver.idleUntil(over, RANGE)),
    sessions(({ statements }) => statements.findMarked(over, RANGE)),
    traces('graceUntil'),
    traces('expiresAt'),
    {
      find: ({ accounts }) => accounts.findForgettable(markedBefore, now, RANGE),
      key: 'subject_key',
      *erase({ accounts }, keys) {
        return (yield accounts.forget(keys, markedBefore, now)).affected;
      },
    },
  ];
}
