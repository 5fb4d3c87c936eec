import { HttpException } from '@nestjs/common';
import { hash } from 'node:crypto';
import { AuthTooManyAttemptsException } from '../errors/too-many-attempts.exception.js';

/**
 * Counts guesses at passwords: the option `http.limit`. The library asks it around each guess; where it
 * counts (in memory, in Redis, in the storage of @nestjs/throttler) is the application's business.
 *
 * A key stands for an account **and** an address together, hashed: nobody can lock somebody else out,
 * and no store holds a name.
 *
 * @example
 * ```ts
 * // At most 20 wrong guesses a minute, in this process.
 * class MemoryLimit implements GuessLimit {
 *   private readonly counts = new Map<string, { wrong: number; until: number }>();
 *
 *   take(key: string): number {
 *     const now = Date.now();
 *     const kept = this.counts.get(key);
 *     const count = kept && kept.until > now ? kept : { wrong: 0, until: now + 60_000 };
 *     if (count.wrong >= 20) return Math.ceil((count.until - now) / 1000);
 *     count.wrong++;
 *     this.counts.set(key, count);
 *     return 0;
 *   }
 *
 *   giveBack(key: string): void {
 *     const count = this.counts.get(key);
 *     if (count !== undefined) count.wrong--;
 *   }
 * }
 * ```
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
 * @param account - What the guess is about. Case, blanks around it and compatible spellings do not make
 * another account of it; where your look-up ignores accents too, give the account's id.
 * @param guess - Gives `null` (or `false`, `undefined`) for a wrong password, or throws an exception of
 * Nest with 401 or 403. Any other error is no guess, and is not counted.
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
  const key = hash(
    'sha256',
    JSON.stringify([folded(account), typeof ip === 'string' ? ip : '']),
    'hex',
  );
  const wait = await limit.take(key);
  if (wait > 0) throw new AuthTooManyAttemptsException('Too many wrong guesses. Try later.', wait);
  let isWrong = false;
  try {
    const answer = await guess();
    isWrong = !answer;
    return answer;
  } catch (error) {
    isWrong = error instanceof HttpException && [401, 403].includes(error.getStatus());
    throw error;
  } finally {
    if (!isWrong) await limit.giveBack(key);
  }
}

function folded(account: string): string {
  return account.normalize('NFKC').trim().toLowerCase();
}
