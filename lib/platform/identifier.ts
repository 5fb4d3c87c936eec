import { refusal } from '../errors/auth.exception.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';

const LONGEST = 255;

/** Whether a text can be an id: 1 to 255 well-formed characters without NUL, compared as it is. */
export function isIdentifier(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= LONGEST &&
    value.isWellFormed() &&
    !value.includes('\0')
  );
}

/** Who did or decided something: an identifier that is not blank and without control characters. */
export function isActor(value: unknown): value is string {
  return isIdentifier(value) && value.trim() !== '' && !/\p{Cc}/u.test(value);
}

/**
 * A subject as it is stored and signed: strings as they are, numbers and bigints in decimal digits.
 *
 * @param call - What was called with it, as the error names it.
 * @throws AuthWiringError (a 500) for what is no text and no number: the caller's own code has lost it,
 * and no client can do anything about that.
 * @throws AuthException 400 `invalid_subject` for an empty or over-long text, NUL, a lone surrogate, a
 * number that is not a safe integer.
 */
export function subjectOf(subject: unknown, call: string): string {
  if (!['string', 'number', 'bigint'].includes(typeof subject)) {
    throw new AuthWiringError(
      `${call} was called with a subject that is ${kindOf(subject)}.`,
      'Pass the sub of the account: a string of 1 to 255 characters, a safe integer or a bigint.',
      'Check that the user was found, and that you await the call that finds the user.',
    );
  }
  const text =
    typeof subject === 'bigint' || (typeof subject === 'number' && Number.isSafeInteger(subject))
      ? String(subject)
      : subject;
  if (isIdentifier(text)) return text;
  throw refusal('invalid_subject');
}

/** @throws AuthWiringError (a 500) for what is no text: the caller's own code has lost it. */
export function assertText(value: unknown, name: string, call: string): asserts value is string {
  if (typeof value === 'string') return;
  throw new AuthWiringError(
    `${call} was called with a ${name} that is ${kindOf(value)}.`,
    `Pass the ${name} as a string.`,
  );
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (value instanceof Promise) return 'a Promise';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
