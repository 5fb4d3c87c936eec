import { types } from 'node:util';
import { DATE_FORMS, timeOf } from './date-time.js';
import { describeGiven, describeKind, type OptionProblems } from './option-problems.js';
import { readFields } from './option-readers.js';
import { parseStaleFor, parseStalePolicy, UNBOUNDED } from './stale-policy.js';

/** How far ahead the end of `observe` may lie (ms). */
const LONGEST_OBSERVATION = 30 * 86_400_000;

/** The option `whenStale`: milliseconds of staleness up to which is accepted. @internal */
export function readWhenStale(
  given: unknown,
  maxStaleness: number,
  problems: OptionProblems,
): number {
  const parsed = parseStalePolicy(given, maxStaleness);
  if (typeof parsed === 'number') return parsed;
  problems.add('whenStale', describeGiven(given), parsed.fix);
  return maxStaleness;
}

/** The option `overrideCeiling`, in milliseconds. @internal */
export function readOverrideCeiling(
  given: unknown,
  maxStaleness: number,
  problems: OptionProblems,
): number | undefined {
  if (given === undefined) return undefined;
  const parsed = given === 'open' ? UNBOUNDED : parseStaleFor(given, maxStaleness);
  if (typeof parsed === 'number') return parsed;
  problems.add('overrideCeiling', describeGiven(given), parsed.fix);
  return undefined;
}

/**
 * The option `openAcknowledgedBy`; in production it must be there if `open` says so.
 *
 * @internal
 */
export function readAcknowledgement(
  given: unknown,
  isOpen: boolean,
  problems: OptionProblems,
): string | undefined {
  if (given === undefined) {
    if (isOpen && isProduction()) {
      problems.add(
        'openAcknowledgedBy',
        'nothing',
        "Name who decided that revoked tokens are accepted while nothing can be proven, or use { staleFor } instead of 'open'.",
      );
    }
    return undefined;
  }
  if (isActor(given)) return given;
  problems.add('openAcknowledgedBy', describeGiven(given), 'Give a name of 1 to 255 characters.');
  return undefined;
}

/** The option `observe`: its end in epoch ms, judged by the host's clock. @internal */
export function readObserve(given: unknown, problems: OptionProblems): number | undefined {
  if (given === undefined) return undefined;
  const fields = readFields(given, 'observe', ['until'], new Map(), problems);
  if (fields === null) return undefined;
  const { until } = fields;
  const shown = types.isDate(until) ? 'a Date' : describeGiven(until);
  const time = timeOf(until);
  if (Number.isNaN(time)) problems.add('observe.until', shown, DATE_FORMS);
  // One that is over is good: a pod that restarts the night after must come up, and enforce.
  else if (time - Date.now() > LONGEST_OBSERVATION) {
    problems.add('observe.until', shown, 'Give a time at most 30 days ahead.');
  }
  return time;
}

/** The option `follow`. @internal */
export function readFollow(given: unknown, problems: OptionProblems): boolean {
  if (typeof given === 'boolean') return given;
  problems.add('follow', describeKind(given), 'Write true or false.');
  return true;
}

/** Who did or decided something: well-formed, 1 to 255 characters, not blank, on one line. @internal */
export function isActor(given: unknown): given is string {
  return (
    typeof given === 'string' &&
    given.trim() !== '' &&
    given.length <= 255 &&
    given.isWellFormed() &&
    !/\p{Cc}/u.test(given)
  );
}

/** Whether this is a production process, as Nest applications say it. @internal */
export function isProduction(): boolean {
  return process.env['NODE_ENV'] === 'production';
}
