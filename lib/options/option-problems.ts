import { types } from 'node:util';
import { InvalidAuthOptionsError, type OptionProblem } from './invalid-auth-options.error.js';

/**
 * The list on which every check writes what it found; nothing stops at the first mistake.
 *
 * A check that adds a problem goes on and returns any value of the right type: it is never used,
 * because {@link throwIfAny} stands between the checks and their results.
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
