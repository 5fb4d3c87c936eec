import { types } from 'node:util';
import { DATE_FORMS, parseDuration, timeOf } from './duration.js';
import { describeGiven, describeKind, quoted, type OptionProblems } from './option-problems.js';

/**
 * Checks what was given for an option, and returns what the library works with. What is wrong goes on
 * the list of problems; the value that is returned then is never used.
 *
 * @param earlier - The values of the rows above it in its table.
 */
export type Check<T, Earlier = unknown> = (
  given: unknown,
  option: string,
  problems: OptionProblems,
  earlier: Earlier,
) => T;

/** One row of a table of options: the default, and the check that makes the resolved value of it. */
export interface Option<T, Earlier = unknown> {
  /** What `undefined` means; what the check refuses makes the option required. */
  readonly default: unknown;
  readonly check: Check<T, Earlier>;
}

/** The options by name. */
export type OptionTable = Readonly<Record<string, Option<unknown, never>>>;

/** What the checks of a table return. */
export type Resolved<Table extends OptionTable> = {
  readonly [Name in keyof Table]: ReturnType<Table[Name]['check']>;
};

/** A row of a table. */
export function option<T, Earlier = unknown>(
  defaultValue: unknown,
  check: Check<T, Earlier>,
): Option<T, Earlier> {
  return { default: defaultValue, check };
}

/**
 * Reads an object by its table, row after row; `null` with the problem noted if it is no object.
 *
 * @param familiar - Names from other libraries, with the sentence that says what to write instead.
 * @param context - What checks may use beside the values of earlier rows.
 */
export function readOptions<Table extends OptionTable>(
  given: unknown,
  path: string,
  table: Table,
  familiar: ReadonlyMap<string, string>,
  problems: OptionProblems,
  context: object = {},
): Resolved<Table> | null {
  const fields = readFields(given, path, Object.keys(table), familiar, problems);
  if (fields === null) return null;
  const earlier: Record<string, unknown> = { ...context };
  const resolved: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(table)) {
    const value = fields[name] === undefined ? row.default : fields[name];
    resolved[name] = row.check(value, prefixOf(path) + name, problems, earlier as never);
    earlier[name] = resolved[name];
  }
  return resolved as Resolved<Table>;
}

/**
 * Reads each known field of an object once and notes the unknown ones, with the name that was
 * probably meant, or with the sentence that `familiar` has for it; `null` with the problem noted if
 * it is no object.
 */
function readFields<Name extends string>(
  given: unknown,
  path: string,
  known: readonly Name[],
  familiar: ReadonlyMap<string, string>,
  problems: OptionProblems,
): Partial<Record<Name, unknown>> | null {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    problems.add(path, describeKind(given), `Give an object with ${known.join(', ')}.`);
    return null;
  }
  for (const name of Object.keys(given)) {
    if (known.some((one) => one === name)) continue;
    const near = nearestName(name, known);
    const hint = near === undefined ? `Known are: ${known.join(', ')}.` : `Did you mean ${near}?`;
    const fix = familiar.get(name) ?? `There is no such option. ${hint}`;
    // The name is the problem; the value may be anything, even a secret.
    problems.add(prefixOf(path) + quoted(name), describeKind(Reflect.get(given, name)), fix);
  }
  // By name, not by Object.keys: a class with getters is an object like any other.
  const source: Partial<Record<Name, unknown>> = given;
  const fields: Partial<Record<Name, unknown>> = {};
  for (const name of known) fields[name] = source[name];
  return fields;
}

/** The options of the module itself are known by their bare names. */
function prefixOf(path: string): string {
  return path === 'options' ? '' : `${path}.`;
}

/** `true` or `false`. */
export const flag: Check<boolean> = (given, path, problems) => {
  if (typeof given === 'boolean') return given;
  problems.add(path, describeGiven(given), 'Write true or false.');
  return false;
};

/** One of a few words. */
export function oneOf<const Word extends string>(...words: readonly Word[]): Check<Word> {
  return (given, path, problems) => {
    const found = words.find((word) => word === given);
    if (found !== undefined) return found;
    problems.add(path, describeGiven(given), `Write '${words.join("' or '")}'.`);
    return words[0] as Word;
  };
}

/** A whole number within limits, both included. */
export function integer(from: number, to: number): Check<number> {
  return (given, path, problems) => {
    if (isInteger(given, from, to)) return given;
    problems.add(path, describeGiven(given), `Give ${from} to ${to}.`);
    return from;
  };
}

/** @see integer */
export function isInteger(given: unknown, from: number, to: number): given is number {
  return Number.isSafeInteger(given) && (given as number) >= from && (given as number) <= to;
}

/** A text that a condition accepts; `undefined` passes. */
export function text(accepts: (text: string) => boolean, fix: string): Check<string | undefined> {
  return (given, path, problems) => {
    if (given === undefined || (typeof given === 'string' && accepts(given))) return given;
    problems.add(path, describeGiven(given), fix);
    return undefined;
  };
}

/** An exact `iss` or `aud`: never a pattern, never a list (RFC 8725 sections 3.8 and 3.9). */
export function exactName(example: string): Check<string> {
  return (given, path, problems) => {
    const fix = flawOfName(given, example);
    if (fix === undefined) return given as string;
    problems.add(path, describeGiven(given), fix);
    return '';
  };
}

function flawOfName(given: unknown, example: string): string | undefined {
  if (typeof given !== 'string' || given === '')
    return `Give one exact string, such as '${example}'; lists and patterns are refused.`;
  // A lone surrogate, here and elsewhere: they all become the same character in UTF-8.
  if (!given.isWellFormed() || /\p{Cc}/u.test(given))
    return 'It holds half a character or a control character: give plain text.';
  // Names are compared exactly, so every token would be refused without an explanation.
  if (given !== given.trim()) return 'Remove the blanks at its ends.';
  if (given.length > 255) return 'Give at most 255 characters.';
  if (/^(?:undefined|null|NaN|\[object \w+\])$/.test(given))
    return 'It reads like a variable that is not set: check where it comes from.';
  return undefined;
}

/** A list of which each entry is checked; frozen, without the entries for which `each` gives `null`. */
export function list<T>(each: Check<T | null>, fix: string): Check<readonly T[]> {
  return (given, path, problems, earlier) => {
    if (!Array.isArray(given)) {
      problems.add(path, describeKind(given), fix);
      return [];
    }
    // Array.from, because map skips the holes of an array.
    const read = Array.from(given, (one: unknown, index) =>
      each(one, `${path}[${index}]`, problems, earlier),
    );
    return Object.freeze(read.filter((one) => one !== null));
  };
}

/** A duration in milliseconds within limits, which are written as a user would write them. */
export function duration(from: string, to: string, only?: 'whole seconds'): Check<number> {
  const [least, most] = [parseDuration(from), parseDuration(to)];
  return (given, path, problems) => {
    const parsed = parseDuration(given);
    const refuse = (fix: string): number => {
      problems.add(path, describeGiven(given), fix);
      return 0;
    };
    if (typeof parsed !== 'number') return refuse(parsed.fix);
    if (parsed < Number(least) || parsed > Number(most))
      return refuse(`Give '${from}' to '${to}'; a number means seconds, not milliseconds.`);
    if (only !== undefined && parsed % 1_000 !== 0)
      return refuse('Give whole seconds: exp and iat have no fractions.');
    return parsed;
  };
}

/**
 * A time in epoch milliseconds, at most so many days ahead of the host's clock. A time in the past is
 * accepted: a pod that restarts after it must boot.
 */
export function dateWithin(days: number): Check<number> {
  return (given, path, problems) => {
    const time = timeOf(given);
    const shown = types.isDate(given) ? 'a Date' : describeGiven(given);
    if (Number.isNaN(time)) problems.add(path, shown, DATE_FORMS);
    else if (time - Date.now() > days * 86_400_000)
      problems.add(path, shown, `Give a time at most ${days} days ahead.`);
    return time;
  };
}

/**
 * The known name that a user probably meant: the one with the fewest edits, if they are few.
 *
 * @internal
 */
export function nearestName(given: string, known: readonly string[]): string | undefined {
  // Edit distance is quadratic; no option has a name like this.
  if (given.length > 40) return undefined;
  const wanted = plain(given);
  const allowed = Math.max(1, Math.floor(wanted.length / 3));
  let best: string | undefined;
  let bestDistance = allowed + 1;
  for (const name of known) {
    const distance = editDistance(wanted, plain(name));
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return best;
}

/** `access_token_ttl`, `accessTokenTTL` and `accessTokenTtl` are the same to a person. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      const removed = (previous[column] ?? 0) + 1;
      const inserted = (current[column - 1] ?? 0) + 1;
      current.push(Math.min(replaced, removed, inserted));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
