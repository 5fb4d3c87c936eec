import type { Operation } from './operation.js';
import type { SessionHistory } from './session-history.js';
import { excerptOf, type Violation } from './violation.js';

/**
 * P9: one successor for each refresh token, the same again within its grace, and none after the end.
 *
 * @param grace - In milliseconds of the database's clock.
 */
export function* checkRefreshes(
  { login, operations, must }: SessionHistory,
  grace: number,
): Generator<Violation> {
  const first = new Map<string, Operation>();
  const earliest = new Map<string, number>();
  for (const operation of operations) {
    const { presented, invoked } = operation;
    if (operation.kind !== 'refresh' || presented === undefined) continue;
    earliest.set(presented, Math.min(earliest.get(presented) ?? Infinity, invoked));
  }
  for (const operation of operations) {
    const { kind, presented, outcome, successor, invoked, completed } = operation;
    if (kind !== 'refresh' || presented === undefined) continue;
    if (operation.code === 'refresh_token_reused') {
      // It was replaced at the earliest when it was first presented, and its grace started then.
      const replaced = earliest.get(presented) ?? Infinity;
      if (completed < replaced + grace) {
        const others = operations.filter((each) => each.presented === presented);
        yield {
          promise: 'P9',
          what: 'called reused within its grace',
          excerpt: excerptOf(login, ...others.slice(0, 4), operation),
        };
      }
    }
    if (outcome !== 'ok') continue;
    const same = first.get(presented);
    if (same === undefined) first.set(presented, operation);
    else if (same.successor !== successor) {
      yield {
        promise: 'P9',
        what: 'two successors of one refresh token',
        excerpt: excerptOf(login, same, operation),
      };
    }
    const end = must.find(({ settled }) => settled <= invoked);
    if (end !== undefined) {
      yield {
        promise: 'P9',
        what: 'refreshed after the logout',
        excerpt: excerptOf(login, end.operation, operation),
      };
    }
  }
}
