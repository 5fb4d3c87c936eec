import { refusal } from '../errors/auth.exception.js';
import { types } from 'node:util';

const FACTORS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
  ['w', 604_800_000],
]);

// No two adjacent parts match the same character, so there is no backtracking: the time is linear.
const GRAMMAR = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d|w)$/;

/**
 * A length of time: a number of **seconds**, or a string with a unit, such as `'250ms'`, `'15m'`,
 * `'1.5h'`, `'30d'` (units: `ms`, `s`, `m`, `h`, `d`, `w`).
 *
 * A string without a unit stops the boot: `'900'` means 900 **milli**seconds to `@nestjs/jwt` and 900
 * seconds to most readers.
 *
 * @example
 * ```ts
 * const quarterOfAnHour: Duration[] = [900, '900s', '15m', '0.25h'];
 * ```
 * @publicApi
 */
export type Duration = number | string;

/**
 * A {@link Duration} in whole milliseconds, or the sentence with the fix.
 *
 * Signs, blanks, exponents, NaN, Infinity and fractions of a millisecond are refused. The limits are
 * those of the option.
 *
 * @internal
 */
export function parseDuration(given: unknown): number | { readonly fix: string } {
  if (typeof given === 'number') {
    if (!Number.isFinite(given) || given < 0)
      return { fix: "Use a finite number of seconds, such as 900, or '15m'." };
    return wholeMilliseconds(given * 1_000);
  }
  if (typeof given !== 'string') return { fix: "Use a number of seconds, such as 900, or '15m'." };
  const match = GRAMMAR.exec(given);
  const factor = FACTORS.get(match?.[2] ?? '');
  if (match?.[1] !== undefined && factor !== undefined)
    return wholeMilliseconds(Number(match[1]) * factor);
  if (/^\d{1,12}$/.test(given))
    return { fix: `Write ${given} or '${given}s' for seconds, or a unit such as '15m'.` };
  return { fix: "Write digits and one unit of ms, s, m, h, d, w without a blank, such as '15m'." };
}

function wholeMilliseconds(exact: number): number | { readonly fix: string } {
  const whole = Math.round(exact);
  // 1.1 s is 1100.0000000000002 ms in floating point. The user did not write that fraction.
  if (Math.abs(exact - whole) > 1e-3) return { fix: 'Write a whole number of milliseconds.' };
  return whole;
}

const DATE = /^(\d{4}-\d\d-\d\d)(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/;

/** The fix of a wrong date: the forms that {@link timeOf} accepts. @internal */
export const DATE_FORMS =
  "Give a Date, '2027-03-01', or a time with its zone such as '2027-03-01T06:00:00Z'.";

/**
 * A moment in epoch milliseconds, from a `Date`, a day (0:00 UTC) or a time with its zone; `NaN` for
 * anything else. A time without a zone is refused: it would be another moment on another host.
 *
 * @internal
 */
export function timeOf(given: unknown): number {
  if (types.isDate(given)) return given.getTime();
  const match = typeof given === 'string' ? DATE.exec(given) : null;
  const day = match?.[1];
  if (match === null || day === undefined) return NaN;
  // V8 parses the 30th of February as the 2nd of March.
  const midnight = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(midnight.getTime()) || !midnight.toISOString().startsWith(day)) return NaN;
  return Date.parse(match[0]);
}

/** The longest lock (ms). For a longer time disable the account. */
export const LONGEST_LOCK = 366 * 86_400_000;

/**
 * The duration of a lock of an account, in milliseconds.
 *
 * @throws AuthException 400 `invalid_request` for anything else than a duration above 0, up to 366 days.
 */
export function lockTimeOf(given: Duration): number {
  const parsed = parseDuration(given);
  if (typeof parsed === 'number' && parsed > 0 && parsed <= LONGEST_LOCK) return parsed;
  throw refusal('invalid_request', {
    message: 'Nothing was locked: use a duration of at most 366 days, in seconds or as "15m".',
  });
}
