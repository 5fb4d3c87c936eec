import { hash } from 'node:crypto';
import { AuthTooManyAttemptsException } from '../errors/too-many-attempts.exception.js';

/**
 * Counts guesses at passwords: the option `http.limit`. The library asks it around each guess; where it
 * counts (in memory, in Redis, in the storage of @nestjs/throttler) is the application's business.
 *
 * A key stands for an account **and** an address together, hashed: nobody can lock somebody else out,
 * and no store holds a name.
 *
 * @publicApi
 */
export interface GuessLimit {
  /**
   * Counts a guess before it is made, so that guesses at the same moment are counted too.
   *
   * @returns how many seconds to wait: 0 when the guess may be made, else it is refused with 429.
   */
  take(key: string): number | Promise<number>;
  /** Uncounts one that was right, or that could not be judged: only wrong guesses count. */
  giveBack(key: string): void | Promise<void>;
}

/**
 * Makes one guess under a limit; for an application's own routes that check a password.
 *
 * @param limit - `undefined`: there is none.
 * @param request - Express' or Fastify's own; its `ip` follows their trusted-proxy settings.
 * @param guess - Gives `null` for a wrong password.
 * @throws AuthException 429 `too_many_attempts` with `Retry-After`, before anything is checked.
 *
 * @example
 * ```ts
 * const who = await limitGuesses(this.limit, user.id, request, () => this.users.verify(user.id, old));
 * if (who === null) throw new UnauthorizedException();
 * ```
 * @publicApi
 */
export async function limitGuesses<T>(
  limit: GuessLimit | undefined,
  account: string,
  request: object,
  guess: () => Promise<T | null>,
): Promise<T | null> {
  if (limit === undefined) return guess();
  const ip: unknown = Reflect.get(request, 'ip');
  const key = hash('sha256', JSON.stringify([account, typeof ip === 'string' ? ip : '']), 'hex');
  const wait = await limit.take(key);
  if (wait > 0) throw new AuthTooManyAttemptsException('Too many wrong guesses. Try later.', wait);
  let isWrong = false;
  try {
    const answer = await guess();
    isWrong = answer === null;
    return answer;
  } finally {
    if (!isWrong) await limit.giveBack(key);
  }
}
