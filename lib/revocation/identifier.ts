import { AuthException } from '../errors/auth.exception.js';

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

/**
 * A subject as it is stored and signed: strings as they are, numbers and bigints in decimal digits.
 *
 * @throws AuthException 400 `invalid_subject` for anything else: an empty or over-long text, NUL, a
 * lone surrogate, a number that is not a safe integer.
 */
export function subjectOf(subject: unknown): string {
  const text =
    typeof subject === 'bigint' || (typeof subject === 'number' && Number.isSafeInteger(subject))
      ? String(subject)
      : subject;
  if (isIdentifier(text)) return text;
  throw new AuthException(
    400,
    'invalid_subject',
    'A subject is 1 to 255 well-formed characters without NUL, a safe integer or a bigint.',
  );
}
