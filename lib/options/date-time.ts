import { types } from 'node:util';

const DATE = /^(\d{4}-\d\d-\d\d)(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/;

/** How an option names the forms that {@link timeOf} takes. @internal */
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
  // V8 takes the 30th of February for the 2nd of March.
  const midnight = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(midnight.getTime()) || !midnight.toISOString().startsWith(day)) return NaN;
  return Date.parse(match[0]);
}
