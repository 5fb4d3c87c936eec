import { AuthWiringError } from '../errors/auth-wiring.error.js';
import { type Duration, parseDuration } from '../options/duration.js';

const SECOND = 1_000;

/**
 * How long a login can last (ms): what it asks for, and not longer than any.
 *
 * @throws AuthWiringError for what is no duration, and for less than a second.
 */
export function sessionLifeOf(given: Duration | undefined, longest: number): number {
  if (given === undefined) return longest;
  const life = parseDuration(given);
  if (typeof life === 'number' && life >= SECOND) return Math.min(life, longest);
  throw new AuthWiringError(
    'login(…, { sessionTtl }) was given something that is no duration of at least one second.',
    typeof life === 'number' ? "Write seconds, such as 43200, or '12h'." : life.fix,
  );
}
