import { types } from 'node:util';
import { AuthWiringError } from '../errors/auth-wiring.error.js';

/** One thing that is wrong with the options: where, what was given, and what to do about it. */
export interface OptionProblem {
  /** The option's name, with its place in a list: `issuer`, `keys[1].kid`. */
  readonly option: string;
  /** What was given, in words that never hold secret material: `a string of 12 characters`. */
  readonly given: string;
  /** What to write instead. */
  readonly fix: string;
}

/**
 * The options of `AuthModule` are wrong. It stops the boot, or refuses a `KeyService.reload()`.
 *
 * It lists **all** problems, so that they can be fixed at once. No message holds a secret or a key: those
 * are described by kind and length only, and so is every URL and every text of more than 24 characters,
 * in case a secret was put into the wrong option.
 *
 * @example
 * ```ts
 * try {
 *   resolveAuthOptions(options);
 * } catch (error) {
 *   if (error instanceof InvalidAuthOptionsError) console.error(error.problems.map((p) => p.option));
 * }
 * ```
 * @publicApi
 */
export class InvalidAuthOptionsError extends AuthWiringError {
  readonly problems: readonly OptionProblem[];

  constructor(problems: readonly OptionProblem[]) {
    const count = problems.length === 1 ? 'one option is' : `${problems.length} options are`;
    const lines = problems.map(
      ({ option, given, fix }, index) => `\n  ${index + 1}. ${option}: ${given} was given. ${fix}`,
    );
    super(`The options of AuthModule cannot be used: ${count} wrong.${lines.join('')}`);
    this.name = 'InvalidAuthOptionsError';
    this.problems = problems;
  }
}

/**
 * The list on which every check writes what it found; nothing stops at the first mistake.
 *
 * A check that adds a problem goes on and returns any value of the right type. The value is never used,
 * because {@link throwIfAny} is called before the results are.
 *
 * @internal
 */
export class OptionProblems {
  private readonly found: OptionProblem[] = [];

  /** How many were found so far. */
  get count(): number {
    return this.found.length;
  }

  add(option: string, given: string, fix: string): void {
    this.found.push({ option, given, fix });
  }

  /** The error that carries all that were added. */
  toError(): InvalidAuthOptionsError {
    return new InvalidAuthOptionsError(Object.freeze([...this.found]));
  }

  /** @throws InvalidAuthOptionsError if there are any */
  throwIfAny(): void {
    if (this.count > 0) throw this.toError();
  }
}

/**
 * A value by kind and size only: what may be said of a secret.
 *
 * @internal
 */
export function describeKind(given: unknown): string {
  if (given === undefined) return 'nothing';
  if (given === null) return 'null';
  if (typeof given === 'string') return given === '' ? 'an empty string' : size(given);
  if (Array.isArray(given)) return `an array of ${given.length}`;
  if (types.isUint8Array(given)) return `a Buffer of ${given.byteLength} bytes`;
  if (types.isKeyObject(given)) {
    if (given.type === 'secret') return `a secret KeyObject of ${given.symmetricKeySize} bytes`;
    return `a ${given.type} KeyObject of type ${given.asymmetricKeyType}`;
  }
  if (types.isRegExp(given)) return 'a RegExp';
  if (types.isPromise(given)) return 'a Promise';
  if (typeof given === 'object') return 'an object';
  return `a ${typeof given}`;
}

/**
 * A value of an option that is no secret: numbers and short strings are shown as they are. A
 * longer one may be a secret in the wrong place (the shortest legal one has 32 bytes).
 *
 * @internal
 */
export function describeGiven(given: unknown): string {
  if (typeof given === 'number' || typeof given === 'boolean') return String(given);
  const isShort = typeof given === 'string' && given !== '' && given.length <= 24;
  // A database URL holds a password, however short it is.
  if (isShort && !given.includes('://')) return quoted(given);
  return describeKind(given);
}

/** A name that a person wrote, cut where it is absurdly long. @internal */
export function quoted(name: string): string {
  return `'${name.length <= 40 ? name : `${name.slice(0, 24)}…`}'`;
}

function size(text: string): string {
  return `a string of ${text.length} character${text.length === 1 ? '' : 's'}`;
}
