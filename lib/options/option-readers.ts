import { parseDuration } from './duration.js';
import { describeGiven, describeKind, type OptionProblems, quoted } from './option-problems.js';

/** Limits of a duration, each in milliseconds with the words that a person would use. @internal */
export interface DurationLimits {
  readonly from: readonly [milliseconds: number, words: string];
  readonly to: readonly [milliseconds: number, words: string];
  /** `exp` and `iat` are whole seconds in our tokens. */
  readonly wholeSeconds?: boolean;
}

/**
 * Reads each known field of an object once and notes the unknown ones, with the name that was
 * probably meant, or with the sentence that `familiar` has for it; null with the problem noted if
 * it is no object.
 *
 * @internal
 */
export function readFields<Name extends string>(
  given: unknown,
  option: string,
  known: readonly Name[],
  familiar: ReadonlyMap<string, string>,
  problems: OptionProblems,
): Partial<Record<Name, unknown>> | null {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    problems.add(option, describeKind(given), `Give an object with ${known.join(', ')}.`);
    return null;
  }
  const prefix = option === 'options' ? '' : `${option}.`;
  for (const name of Object.keys(given)) {
    if (known.some((one) => one === name)) continue;
    const near = nearestName(name, known);
    const hint = near === undefined ? `Known are: ${known.join(', ')}.` : `Did you mean ${near}?`;
    const fix = familiar.get(name) ?? `There is no such option. ${hint}`;
    // The name is the problem; the value may be anything, even a secret.
    problems.add(`${prefix}${quoted(name)}`, describeKind(Reflect.get(given, name)), fix);
  }
  // By name, not by Object.keys: a class with getters is an object like any other.
  const source: Partial<Record<Name, unknown>> = given;
  const fields: Partial<Record<Name, unknown>> = {};
  for (const name of known) fields[name] = source[name];
  return fields;
}

/** An exact `iss` or `aud`: never a pattern, never a list (RFC 8725 sections 3.8 and 3.9). @internal */
export function readExactName(
  given: unknown,
  option: string,
  example: string,
  problems: OptionProblems,
): string {
  const refuse = (fix: string): string => {
    problems.add(option, describeGiven(given), fix);
    return '';
  };
  if (typeof given !== 'string' || given === '')
    return refuse(`Give one exact string, such as '${example}'; lists and patterns are refused.`);
  // A lone surrogate, here and elsewhere: they all become the same character in UTF-8.
  if (!given.isWellFormed() || /\p{Cc}/u.test(given))
    return refuse('It holds half a character or a control character: give plain text.');
  // They are compared exactly, so every token would be refused, and nobody would see why.
  if (given !== given.trim()) return refuse('Remove the blanks at its ends.');
  if (given.length > 255) return refuse('Give at most 255 characters.');
  if (/^(?:undefined|null|NaN|\[object \w+\])$/.test(given))
    return refuse('It reads like a variable that is not set: check where it comes from.');
  return given;
}

/** A duration in milliseconds within limits. @internal */
export function readDuration(
  given: unknown,
  option: string,
  { from, to, wholeSeconds = false }: DurationLimits,
  problems: OptionProblems,
): number {
  const parsed = parseDuration(given);
  if (typeof parsed !== 'number') {
    problems.add(option, describeGiven(given), parsed.fix);
    return 0;
  }
  if (parsed < from[0] || parsed > to[0])
    problems.add(
      option,
      describeGiven(given),
      `Give ${from[1]} to ${to[1]}; a number means seconds, not milliseconds.`,
    );
  else if (wholeSeconds && parsed % 1_000 !== 0)
    problems.add(
      option,
      describeGiven(given),
      'Give whole seconds: exp and iat have no fractions.',
    );
  return parsed;
}

/** An optional text for which a pattern and a few words decide. @internal */
export function readOptionalText(
  given: unknown,
  option: string,
  accepts: (text: string) => boolean,
  fix: string,
  problems: OptionProblems,
): string | undefined {
  if (given === undefined) return undefined;
  if (typeof given === 'string' && accepts(given)) return given;
  problems.add(option, describeGiven(given), fix);
  return undefined;
}

/**
 * The known name that somebody probably meant: the one with the fewest edits, if they are few.
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
