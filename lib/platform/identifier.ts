import { refusal } from '../errors/auth.exception.js';
import { AuthWiringError } from '../errors/auth-wiring.error.js';

const LONGEST = 255;

/**
 * Whether a value can be an id: a string of 1 to 255 well-formed characters without NUL. Databases
 * reject or change any other string, and two different ids could become equal. Ids are compared
 * exactly.
 */
export function isIdentifier(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= LONGEST &&
    value.isWellFormed() &&
    !value.includes('\0')
  );
}

/**
 * Whether a value can be an actor: an identifier that is not blank and has no control characters,
 * because it is written to logs.
 */
export function isActor(value: unknown): value is string {
  return isIdentifier(value) && value.trim() !== '' && !/\p{Cc}/u.test(value);
}

/**
 * A subject as it is stored and signed: strings unchanged, numbers and bigints as decimal digits.
 *
 * @param call - The name of the call, for the error.
 * @throws AuthWiringError (a 500) for anything but a string or a number. It is a mistake in the
 * application's code, such as a user that was not found, and not of the client.
 * @throws AuthException 400 `invalid_subject` for an empty or over-long text, NUL, a lone
 * surrogate, a number that is not a safe integer.
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

/**
 * @throws AuthWiringError (a 500) for anything but a string, because it is a mistake in the
 * application's code.
 */
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
