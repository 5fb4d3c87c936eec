import { HttpException } from '@nestjs/common';
import { hash } from 'node:crypto';
import { AuthException, refusal } from '../errors/auth.exception.js';
import { networkOf } from '../platform/client-address.js';

/**
 * Limits guesses of passwords: the option `http.limit`. The library calls it before and after each attempt.
 * Your implementation decides where to count: in memory, in Redis, or in the storage of @nestjs/throttler.
 * Without a shared store each instance counts alone, so an attacker has one limit per instance.
 *
 * A key is a hash of an account **and** an address (of an IPv6 address, the first 64 bits). So no user can
 * lock another one out, and the store contains no names. `POST refresh` counts wrong tokens by address alone,
 * and never refuses a valid token.
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
   * Counts an attempt before the password is compared, so that simultaneous attempts are counted too.
   *
   * @returns how many seconds to wait. 0 allows the attempt; otherwise it is refused with 429.
   */
  take(key: string): number | Promise<number>;
  /** Removes an attempt from the count, because the password was right or could not be checked. */
  giveBack(key: string): void | Promise<void>;
}

/**
 * Checks a password under a limit. Use it in your own routes that take a password.
 *
 * @param limit - The limit; `undefined`: no limit.
 * @param account - The account that the password is for. Upper and lower case, surrounding blanks and
 * Unicode compatibility variants (NFKC) count as the same account. If your look-up also ignores accents, pass
 * the account's id instead of the name.
 * @param request - The request of Express or Fastify. Its `ip` follows the framework's `trust proxy`.
 * @param guess - Checks the password. A falsy result, or an `HttpException` with 401 or 403, counts as a
 * wrong password. Any other error is not counted, because the password was not checked.
 * @returns the result of `guess`.
 * @throws AuthException 429 `too_many_attempts` with `Retry-After`, before `guess` is called.
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
  const key = keyOf(account, request);
  await countGuess(limit, key);
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

/**
 * Counts a refresh with an unknown token, by address, because such a token names no account.
 *
 * This runs after the token was checked, so a valid token is never refused, and other users of the same
 * address are not locked out. That is safe, because no one can guess the 24 random bytes of a refresh token.
 *
 * @throws AuthException 429 `too_many_attempts` instead of 401 `refresh_token_invalid`.
 */
export async function countWrongToken(
  limit: GuessLimit,
  error: unknown,
  request: object,
): Promise<void> {
  const isWrong = error instanceof AuthException && error.code === 'refresh_token_invalid';
  if (isWrong) await countGuess(limit, keyOf(null, request));
}

async function countGuess(limit: GuessLimit, key: string): Promise<void> {
  const wait = await limit.take(key);
  if (wait <= 0) return;
  const message = 'Too many wrong guesses. Try later.';
  throw refusal('too_many_attempts', { message, retryAfter: wait });
}

function keyOf(account: string | null, request: object): string {
  const ip: unknown = Reflect.get(request, 'ip');
  const address = typeof ip === 'string' ? ip : '';
  // A single household has 2^64 IPv6 addresses (a /64), so a limit for each address would limit no one.
  const network = networkOf(address, 4, 4) ?? address;
  // Otherwise an attacker would get a new limit for each spelling of the same name.
  const folded = account?.normalize('NFKC').trim().toLowerCase() ?? null;
  return hash('sha256', JSON.stringify([folded, network]), 'hex');
}
