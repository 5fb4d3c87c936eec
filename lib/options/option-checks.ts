import { types } from 'node:util';
import { InvalidAuthOptionsError, type OptionProblem } from '../errors/auth-wiring.error.js';
import { DATE_FORMS, parseDuration, timeOf } from './duration.js';

/**
 * Checks the value that was given for an option, and returns the resolved value.
 *
 * @param path - The name of the option with its place, such as `keys[1].kid`.
 * @param earlier - The resolved values of the rows above it in the table. A value whose check failed is
 * absent.
 * @throws InvalidAuthOptionsError made by `wrong()` or `wrongKind()`.
 */
export type Check<T, Earlier = unknown> = (given: unknown, path: string, earlier: Earlier) => T;

/** One row of a table of options: the default and the check. */
export interface Option<T, Earlier = unknown> {
  /** The value that `undefined` stands for. If the check refuses it, the option is required. */
  readonly default: unknown;
  readonly check: Check<T, Earlier>;
}

/** A table of options by name. */
export type OptionTable = Readonly<Record<string, Option<unknown, never>>>;

/** The resolved values of a table. */
export type Resolved<Table extends OptionTable> = {
  readonly [Name in keyof Table]: ReturnType<Table[Name]['check']>;
};

/** Makes a row of a table. */
export function option<T, Earlier = unknown>(
  defaultValue: unknown,
  check: Check<T, Earlier>,
): Option<T, Earlier> {
  return { default: defaultValue, check };
}

/**
 * Checks an object by its table, row after row. An unknown name is a problem too; the message suggests the
 * name that was probably meant.
 *
 * @param familiar - Names from other libraries, each with the sentence that says what to write instead.
 * @param context - Values that checks may use besides those of earlier rows.
 * @throws InvalidAuthOptionsError with all problems.
 */
export function readOptions<Table extends OptionTable>(
  given: unknown,
  path: string,
  table: Table,
  familiar: ReadonlyMap<string, string> = new Map(),
  context: object = {},
): Resolved<Table> {
  const known = Object.keys(table);
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw wrongKind(path, given, `Give an object with ${known.join(', ')}.`);
  }
  // Messages name the options of the module without a prefix.
  const prefix = path === 'options' ? '' : `${path}.`;
  const problems = new OptionProblems();
  for (const name of Object.keys(given).filter((each) => !known.includes(each))) {
    const near = nearestName(name, known);
    const hint = near === undefined ? `Known are: ${known.join(', ')}.` : `Did you mean ${near}?`;
    const fix = familiar.get(name) ?? `There is no such option. ${hint}`;
    // Only the kind of the value is shown: under a misspelled name it may be a secret.
    problems.add(wrongKind(prefix + quoted(name), Reflect.get(given, name), fix));
  }
  const resolved: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(table)) {
    // Read by name, not with Object.keys(), because the object may be a class instance with getters.
    const own: unknown = Reflect.get(given, name);
    const value = own === undefined ? row.default : own;
    const earlier = { ...context, ...resolved } as never;
    resolved[name] = problems.attempt(() => row.check(value, prefix + name, earlier));
  }
  problems.throwIfAny();
  return resolved as Resolved<Table>;
}

/** The error of a check. A short value is shown as it is. */
export function wrong(option: string, given: unknown, fix: string): InvalidAuthOptionsError {
  return refused(option, describeGiven(given), fix);
}

/** The error of a check for a value that may be or contain a secret. Only its kind and size are shown. */
export function wrongKind(option: string, given: unknown, fix: string): InvalidAuthOptionsError {
  return refused(option, describeKind(given), fix);
}

/** The error of a check, with the given value described in words. */
export function refused(option: string, given: string, fix: string): InvalidAuthOptionsError {
  return new InvalidAuthOptionsError([{ option, given, fix }]);
}

/** Collects the errors of several checks, so that a user sees all mistakes at once. */
export class OptionProblems {
  private readonly found: OptionProblem[] = [];

  add(error: InvalidAuthOptionsError): void {
    this.found.push(...error.problems);
  }

  /** The result of a check; `undefined` if it failed. Call {@link throwIfAny} before you use the result. */
  attempt<T>(check: () => T): T | undefined {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof InvalidAuthOptionsError)) throw error;
      this.add(error);
      return undefined;
    }
  }

  /** @throws InvalidAuthOptionsError with all problems, if there are any. */
  throwIfAny(): void {
    if (this.found.length > 0) throw new InvalidAuthOptionsError(Object.freeze(this.found));
  }
}

/** Describes a value by kind and size only, so that a message reveals no secret. */
export function describeKind(given: unknown): string {
  if (given === undefined) return 'nothing';
  if (given === null) return 'null';
  if (given === '') return 'an empty string';
  if (typeof given === 'string') {
    return `a string of ${given.length} character${given.length === 1 ? '' : 's'}`;
  }
  if (Array.isArray(given)) return `an array of ${given.length}`;
  if (types.isUint8Array(given)) return `a Buffer of ${given.byteLength} bytes`;
  if (types.isKeyObject(given)) {
    if (given.type === 'secret') return `a secret KeyObject of ${given.symmetricKeySize} bytes`;
    return `a ${given.type} KeyObject of type ${given.asymmetricKeyType}`;
  }
  if (types.isRegExp(given)) return 'a RegExp';
  if (types.isPromise(given)) return 'a Promise';
  return typeof given === 'object' ? 'an object' : `a ${typeof given}`;
}

/**
 * Describes the value of an option that is not a secret. Numbers and short strings are shown as they are. A
 * longer string may be a secret for the wrong option (the shortest allowed secret has 32 bytes).
 */
export function describeGiven(given: unknown): string {
  if (typeof given === 'number' || typeof given === 'boolean') return String(given);
  const isShort = typeof given === 'string' && given !== '' && given.length <= 24;
  // A URL may contain a password, however short it is.
  return isShort && !given.includes('://') ? quoted(given) : describeKind(given);
}

/** A name in quotes, shortened if it is very long. */
export function quoted(name: string): string {
  return `'${name.length <= 40 ? name : `${name.slice(0, 24)}…`}'`;
}

/** `true` or `false`. */
export const flag: Check<boolean> = (given, path) => {
  if (typeof given === 'boolean') return given;
  throw wrong(path, given, 'Write true or false.');
};

/** One of these words. */
export function oneOf<const Word extends string>(...words: readonly Word[]): Check<Word> {
  return (given, path) => {
    const found = words.find((word) => word === given);
    if (found !== undefined) return found;
    throw wrong(path, given, `Write '${words.join("' or '")}'.`);
  };
}

/** A whole number within limits, both included. */
export function integer(from: number, to: number): Check<number> {
  return (given, path) => {
    if (isInteger(given, from, to)) return given;
    throw wrong(path, given, `Use ${from} to ${to}.`);
  };
}

/** @see integer */
export function isInteger(given: unknown, from: number, to: number): given is number {
  return Number.isSafeInteger(given) && (given as number) >= from && (given as number) <= to;
}

/** A string that a condition accepts, or `undefined`. */
export function text(accepts: (text: string) => boolean, fix: string): Check<string | undefined> {
  return (given, path) => {
    if (given === undefined || (typeof given === 'string' && accepts(given))) return given;
    throw wrong(path, given, fix);
  };
}

/** An exact `iss` or `aud`: never a pattern, never a list (RFC 8725 sections 3.8 and 3.9). */
export function exactName(example: string): Check<string> {
  return (given, path) => {
    if (typeof given !== 'string' || given === '') {
      const fix = `Give one exact string, such as '${example}'; lists and patterns are refused.`;
      throw wrong(path, given, fix);
    }
    const fix = flawOfName(given);
    if (fix === undefined) return given;
    throw wrong(path, given, fix);
  };
}

function flawOfName(given: string): string | undefined {
  // A string with a lone surrogate is not well-formed. In UTF-8 all lone surrogates become the same
  // character, so two different names would be equal.
  if (!given.isWellFormed() || /\p{Cc}/u.test(given))
    return 'It holds half a character or a control character: give plain text.';
  // Names are compared exactly, so with a blank every token would be refused for no visible reason.
  if (given !== given.trim()) return 'Remove the blanks at its ends.';
  if (given.length > 255) return 'Give at most 255 characters.';
  if (/^(?:undefined|null|NaN|\[object \w+\])$/.test(given))
    return 'It reads like a variable that is not set: check where it comes from.';
  return undefined;
}

/** A list with one check for each entry. The result is frozen. */
export function list<T>(each: Check<T>, fix: string): Check<readonly T[]> {
  return (given, path, earlier) => {
    if (!Array.isArray(given)) throw wrongKind(path, given, fix);
    const problems = new OptionProblems();
    // Array.from(), because map() skips the holes of an array.
    const read = Array.from(given, (one: unknown, index) =>
      problems.attempt(() => each(one, `${path}[${index}]`, earlier)),
    );
    problems.throwIfAny();
    return Object.freeze(read as T[]);
  };
}

/** A duration within limits, in milliseconds. The limits are written as in the options, such as `'31d'`. */
export function duration(from: string, to: string, only?: 'whole seconds'): Check<number> {
  const [least, most] = [Number(parseDuration(from)), Number(parseDuration(to))];
  return (given, path) => {
    const parsed = parseDuration(given);
    if (typeof parsed !== 'number') throw wrong(path, given, parsed.fix);
    if (parsed < least || parsed > most) {
      const fix = `Use '${from}' to '${to}'. A number means seconds, not milliseconds.`;
      throw wrong(path, given, fix);
    }
    if (only === undefined || parsed % 1_000 === 0) return parsed;
    throw wrong(path, given, 'Use whole seconds, because exp and iat have no fractions.');
  };
}

/**
 * A time in epoch milliseconds, at most so many days ahead of the host's clock. A time in the past is
 * accepted, because an instance must also boot after that time.
 */
export function dateWithin(days: number): Check<number> {
  return (given, path) => {
    const time = timeOf(given);
    if (time - Date.now() <= days * 86_400_000) return time;
    const fix = Number.isNaN(time) ? DATE_FORMS : `Give a time at most ${days} days ahead.`;
    throw types.isDate(given) ? refused(path, 'a Date', fix) : wrong(path, given, fix);
  };
}

/**
 * The known name that a user probably meant: the one with the fewest edits, if they are few.
 */
export function nearestName(given: string, known: readonly string[]): string | undefined {
  // The time of the edit distance is quadratic, and no option has such a long name.
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

/**
 * The letters and digits of a name: `access_token_ttl`, `accessTokenTTL` and `accessTokenTtl` are the same.
 */
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
