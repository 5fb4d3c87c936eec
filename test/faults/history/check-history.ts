import { checkDecisions, Surroundings } from './check-decisions.js';
import { checkRefreshes } from './check-refreshes.js';
import type { History } from './operation.js';
import { sessionsOf } from './session-history.js';
import { excerptOf, type Violation } from './violation.js';

/** What was promised, in milliseconds. */
export interface Promises {
  /** `maxStaleness`, and whatever widens it. */
  readonly bound: number;
  readonly refreshGrace: number;
}

/**
 * Decides P1 to P6, P8 and P9 over a history, and whether an instance stayed stuck or broke.
 *
 * It trusts nothing but the observer's clock: an operation took effect somewhere between its
 * invocation and its answer, one whose outcome is unknown took effect at any time or never, and what
 * follows from none of these orders is a violation. P7 cannot be asked for over HTTP and is left out;
 * P10 is what `ok` means here; P11 is counted elsewhere.
 */
export function checkHistory(history: History, { bound, refreshGrace }: Promises): Violation[] {
  const violations: Violation[] = [];
  for (const operation of history.operations) {
    const { kind, outcome, code } = operation;
    if (kind === 'settle' && outcome !== 'ok') {
      const what = `an instance that nothing disturbs does not become fresh (${code ?? outcome})`;
      violations.push({ promise: 'not stuck', what, excerpt: [operation] });
    } else if (code?.startsWith('http ')) {
      const what = `an answer that the contract does not know: ${code}`;
      violations.push({ promise: 'answers', what, excerpt: excerptOf(operation) });
    }
  }
  const surroundings = new Surroundings(history);
  for (const story of sessionsOf(history)) {
    violations.push(...checkDecisions(story, surroundings, bound));
    violations.push(...checkRefreshes(story, refreshGrace));
  }
  return violations;
}
