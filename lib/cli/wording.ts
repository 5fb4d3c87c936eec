import { CommandUsageError } from './command-errors.js';
import { parseDuration } from '../options/duration.js';

/** From here on (ms) what is registered is no bound: `observe` and the policy `open` register a century. */
const UNBOUNDED_FROM = 366 * 86_400_000;

/** Whether a registered staleness promises nothing. */
export function isUnbounded(milliseconds: number): boolean {
  return milliseconds >= UNBOUNDED_FROM;
}

/** A bound for people: `5 s`, `1 h`, or that there is none. */
export function boundText(milliseconds: number): string {
  return isUnbounded(milliseconds) ? 'unbounded' : spanText(milliseconds);
}

/** A length of time for people. */
export function spanText(milliseconds: number): string {
  const seconds = Math.abs(milliseconds) / 1000;
  if (seconds < 120) return `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Number((seconds / 3_600).toFixed(1))} h`;
  return `${Number((seconds / 86_400).toFixed(1))} d`;
}

/** `1 event`, `2 events`. */
export function plural(n: number, noun: string): string {
  return `${n.toLocaleString('en')} ${noun}${n === 1 ? '' : 's'}`;
}

/**
 * A duration on the command line, in milliseconds; digits alone are seconds, as in the option.
 *
 * @throws CommandUsageError naming the option.
 */
export function durationOption(name: string, given: string): number {
  const parsed = parseDuration(/^\d{1,12}(\.\d{1,3})?$/.test(given) ? Number(given) : given);
  if (typeof parsed === 'number') return parsed;
  throw new CommandUsageError(`${name} "${given}": ${parsed.fix}`);
}
