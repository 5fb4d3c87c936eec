import { apiTokens } from '../database/api-token.statements.js';
import { AuthAccount } from '../database/entities/auth-account.entity.js';
import { integerOf, reader } from '../database/entities/table.js';
import type { Row, Statement, Transaction } from '../database/statement.js';
import type { PurgeSweep } from '../revocation/log/revocation-purge.service.js';
import { RETENTION_MARGIN } from '../revocation/log/retention.js';
import {
  type Change,
  changeAll,
  keysIn,
  RANGE,
  type SessionRows,
  type SessionTables,
} from '../sessions/session-sweep.js';

/**
 * How far back (ms) the sweep checks older cut-offs again. A token may be stored shortly after the cut-off that
 * revokes it, and clocks may differ by a minute.
 */
const OVERLAP = 3_600_000;

/**
 * Marks the rows of tokens as ended if a token event or a cut-off of the account has revoked them, whichever
 * process wrote it. It deletes rows after `historyFor`. It runs before the sweep that deletes cut-offs, because
 * without its cut-off a revoked token would be valid again (O4).
 *
 * @param kept - How long rows of API tokens are kept (ms); `undefined`: forever.
 */
export function apiTokenSweep(
  rows: SessionRows,
  { historyFor }: { readonly historyFor: number | undefined },
): PurgeSweep {
  // The first run of a process checks every event and every cut-off. 1, because an account without a cut-off
  // has the time 0.
  let after = 0;
  let since = 1;
  return async (now, isStopped, onDeleted) => {
    const each = (find: (of: SessionTables) => Statement, change: Change): Promise<void> =>
      changeAll(rows, find, change, isStopped, onDeleted);
    // The position is read first: an event that is written during the sweep is found by the next
    // one.
    const [head] = await rows.read(({ statements }) => apiTokens(statements.dialect).position());
    await each(({ statements }) => apiTokens(statements.dialect).findRevoked(after, RANGE), end);
    await each(({ statements }) => apiTokens(statements.dialect).findMarked(since, RANGE), end);
    // A stopped run may have left some out, so the next one starts at the same place.
    if (!isStopped()) {
      after = integerOf(head?.['head_position']);
      since = Math.max(1, now - OVERLAP);
    }
    for (const what of ['endedAt', 'expiresAt', 'ofSession'] as const) {
      // The access token of a session has no history: its session has one.
      const keptFor = what === 'ofSession' ? RETENTION_MARGIN : historyFor;
      if (keptFor === undefined) continue;
      const before = now - keptFor;
      await each(
        ({ statements }) => apiTokens(statements.dialect).findOver[what](before, RANGE),
        erase,
      );
    }
  };
}

/**
 * Deletes all tokens of an account that were issued before a position. Tokens issued later belong to a new account
 * with the same subject.
 */
export function eraseApiTokens(
  rows: SessionRows,
  subjectKey: string,
  position: number,
): Promise<void> {
  const find = ({ statements }: SessionTables): Statement =>
    apiTokens(statements.dialect).findOfSubject(subjectKey, position, RANGE);
  return changeAll(rows, find, erase);
}

const readMark = reader(AuthAccount, ['reason']);

/** Marks rows as ended, one statement for each reason, and deletes none. */
function* end({ statements }: SessionTables, found: readonly Row[]): Transaction<number> {
  for (const endReason of new Set(found.map((row) => readMark(row).reason))) {
    const some = found.filter((row) => readMark(row).reason === endReason);
    yield apiTokens(statements.dialect).end(keysIn(some, 'token_digest'), { endReason });
  }
  return 0;
}

function* erase({ statements }: SessionTables, found: readonly Row[]): Transaction<number> {
  return (yield apiTokens(statements.dialect).erase(keysIn(found, 'token_digest'))).affected;
}
