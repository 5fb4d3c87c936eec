import { describeGiven, type OptionProblems } from './option-problems.js';

const MOST_RETRIES = 1_000;
const MOST_SESSIONS = 10_000;

/** The option `refreshGraceRetries`. @internal */
export function readRetries(given: unknown, problems: OptionProblems): number {
  if (isInteger(given, 0, MOST_RETRIES)) return given;
  problems.add('refreshGraceRetries', describeGiven(given), `Give 0 to ${MOST_RETRIES}.`);
  return 0;
}

/**
 * The option `maxSessions`: by client name. `'*'`, which all other names share, is always there: as
 * small as the smallest that is listed, if it is not itself.
 *
 * @internal
 */
export function readMaxSessions(
  given: unknown,
  problems: OptionProblems,
): ReadonlyMap<string, number> | undefined {
  if (given === false) return undefined;
  if (isInteger(given, 1, MOST_SESSIONS)) return new Map([['*', given]]);
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) {
    const limits = Object.entries(given);
    const isComplete = limits.every(
      ([name, limit]) => isInteger(limit, 1, MOST_SESSIONS) && !name.endsWith(' '),
    );
    if (limits.length > 0 && isComplete) {
      const smallest = Math.min(...limits.map(([, limit]) => limit as number));
      return new Map([['*', smallest], ...(limits as [string, number][])]);
    }
  }
  problems.add(
    'maxSessions',
    describeGiven(given),
    `Give 1 to ${MOST_SESSIONS}, such a number for each client: { web: 5, tv: 1 }, or false for no limit.`,
  );
  return undefined;
}

function isInteger(given: unknown, from: number, to: number): given is number {
  return Number.isSafeInteger(given) && (given as number) >= from && (given as number) <= to;
}
